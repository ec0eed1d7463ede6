import { isDeepStrictEqual } from "node:util";
import { SchemaProblem, type SchemaPath } from "./schema-problem.ts";

export type Schema = Readonly<Record<string, unknown>>;

export const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What only describes, and asks for nothing. */
export const annotations: ReadonlySet<string> = new Set([
  "title",
  "description",
  "default",
  "examples",
  "example",
  "$schema",
  "$id",
  "id",
  "$comment",
  "$defs",
  "definitions",
  "deprecated",
  "readOnly",
  "writeOnly",
  "discriminator",
  "contentMediaType",
  "contentEncoding",
]);

export const typesOf = (schema: Schema): readonly unknown[] | null =>
  schema["type"] === undefined ? null : Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]];

/** Types that both allow; a whole number is a number, too. */
function commonTypes(one: readonly unknown[], other: readonly unknown[]): unknown[] {
  const allows = (types: readonly unknown[], type: unknown) =>
    types.includes(type) || (type === "integer" && types.includes("number"));
  return [...new Set([...one, ...other])].filter((type) => allows(one, type) && allows(other, type));
}

const higher: ReadonlySet<string> = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]);
const lower: ReadonlySet<string> = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]);

/** More pairs of alternatives than this cannot be tried one by one. */
const mostPairs = 1000;
const mostComparisons = 1_000_000;

function limitPairs(ours: readonly unknown[], theirs: readonly unknown[], most: number, path: SchemaPath): void {
  if (ours.length * theirs.length > most) throw new SchemaProblem(path, "is too large");
}

const propertiesOf = (schema: Schema): Schema => (isSchema(schema["properties"]) ? schema["properties"] : {});
const requiredOf = (schema: Schema): unknown[] => (Array.isArray(schema["required"]) ? schema["required"] : []);

/** The properties of two schemas at once: each schema's `additionalProperties` also holds for what only the other names. */
function mergeProperties(one: Schema, other: Schema): Schema | undefined {
  if (one["properties"] === undefined && other["properties"] === undefined) return undefined;
  const [a, b] = [propertiesOf(one), propertiesOf(other)];
  const merged: Record<string, unknown> = {};
  const alone = (property: unknown, rule: unknown): unknown =>
    rule === undefined || rule === true ? property : rule === false ? false : { allOf: [property, rule] };
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [inA, inB] = [Object.hasOwn(a, name), Object.hasOwn(b, name)];
    const property =
      inA && inB
        ? isDeepStrictEqual(a[name], b[name])
          ? a[name]
          : { allOf: [a[name], b[name]] }
        : inA
          ? alone(a[name], other["additionalProperties"])
          : alone(b[name], one["additionalProperties"]);
    merged[name] = property;
  }
  return merged;
}

/**
 * A schema that asks for what both ask for.
 * @throws {SchemaProblem} where that cannot be written as one schema, or nothing can match both.
 */
export function mergeSchemas(one: Schema, other: Schema, path: SchemaPath): Schema {
  const merged: Record<string, unknown> = { ...one };
  const contradiction = (keyword: string) =>
    new SchemaProblem([...path, keyword], "cannot be combined with another one for the same value");
  for (const [keyword, theirs] of Object.entries(other)) {
    const ours = one[keyword];
    if (annotations.has(keyword) && ours !== undefined) continue;
    if (ours === undefined || isDeepStrictEqual(ours, theirs)) merged[keyword] = theirs;
    else if (higher.has(keyword)) merged[keyword] = Math.max(Number(ours), Number(theirs));
    else if (lower.has(keyword)) merged[keyword] = Math.min(Number(ours), Number(theirs));
    else if (keyword === "type") {
      const types = commonTypes(typesOf(one) ?? [], typesOf(other) ?? []);
      if (types.length === 0) throw contradiction(keyword);
      merged[keyword] = types;
    } else if (keyword === "enum" && Array.isArray(ours) && Array.isArray(theirs)) {
      limitPairs(ours, theirs, mostComparisons, [...path, keyword]);
      merged[keyword] = ours.filter((value) => theirs.some((also) => isDeepStrictEqual(value, also)));
    } else if (keyword === "anyOf" && Array.isArray(ours) && Array.isArray(theirs)) {
      limitPairs(ours, theirs, mostPairs, [...path, keyword]);
      merged[keyword] = ours.flatMap((a: unknown) => theirs.map((b: unknown) => ({ allOf: [a, b] })));
    } else if (keyword === "items") merged[keyword] = { allOf: [ours, theirs] };
    else if (keyword === "additionalProperties")
      merged[keyword] = ours === false || theirs === false ? false : { allOf: [ours, theirs] };
    else if (keyword !== "required" && keyword !== "properties") throw contradiction(keyword);
  }
  const properties = mergeProperties(one, other);
  if (properties !== undefined) merged["properties"] = properties;
  const required = [...new Set([...requiredOf(one), ...requiredOf(other)])];
  if (required.length > 0) merged["required"] = required;
  return merged;
}
