import { either, literal, optional, sequence, type Expression, type GrammarBuilder } from "../grammar/gbnf.ts";
import { partExpression, type SchemaOptions } from "../grammar/json-schema.ts";
import { isSchema } from "../grammar/schema-merge.ts";
import { SchemaProblem, type SchemaPath } from "../grammar/schema-problem.ts";
import { isTextSchema } from "./tagged-values.ts";

/** Any text that does not end its value: `</parameter>` never stands in it. */
const anyText: Expression = '([^<] | "<" ([^/] | "/" ([^p] | "p" [^a])))*';

/** A text as it is, under what its schema asks for. */
function textExpression(
  grammar: GrammarBuilder,
  schema: unknown,
  path: SchemaPath,
  { lenient = false }: SchemaOptions,
) {
  if (!isSchema(schema)) return grammar.rule(anyText);
  const values = schema["const"] !== undefined ? [schema["const"]] : schema["enum"];
  if (Array.isArray(values)) return either(values.map((value) => literal(String(value))));
  for (const keyword of ["pattern", "format", "anyOf", "oneOf", "allOf", "not"])
    if (schema[keyword] !== undefined && !lenient)
      throw new SchemaProblem([...path, keyword], "cannot be enforced in the way in which this model writes calls");
  const { minLength: least, maxLength: most } = schema;
  if (typeof least !== "number" && typeof most !== "number") return grammar.rule(anyText);
  return grammar.repeat("[^<]", typeof least === "number" ? least : 0, typeof most === "number" ? most : null);
}

/**
 * Arguments between tags: those of the schema, in its order.
 * @throws {SchemaProblem} which names what cannot be enforced, unless `lenient`.
 */
export function taggedExpression(grammar: GrammarBuilder, schema: unknown, options: SchemaOptions): Expression {
  const root = isSchema(schema) ? schema : {};
  const { lenient = false } = options;
  for (const keyword of ["$ref", "anyOf", "oneOf", "allOf", "not", "minProperties", "patternProperties"])
    if (root[keyword] !== undefined && !lenient)
      throw new SchemaProblem([keyword], "cannot be enforced in the way in which this model writes calls");
  const properties = isSchema(root["properties"]) ? root["properties"] : {};
  const required: readonly unknown[] = Array.isArray(root["required"]) ? root["required"] : [];
  const parts = Object.entries(properties).flatMap(([name, property]) => {
    const path = ["properties", name];
    if (/[<>\n]/u.test(name)) {
      if (lenient) return [];
      throw new SchemaProblem(path, "has a name that this model cannot write");
    }
    const value = isTextSchema(property)
      ? textExpression(grammar, property, path, options)
      : partExpression(grammar, root, property, path, options);
    const part = grammar.rule(
      sequence(literal(`<parameter=${name}>\n`), grammar.rule(value), literal("\n</parameter>\n")),
    );
    return [required.includes(name) ? part : optional(part)];
  });
  return sequence(...parts);
}
