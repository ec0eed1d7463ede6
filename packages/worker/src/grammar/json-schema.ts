import {
  either,
  longestGrammar,
  mostRepetitions,
  oneOfTexts,
  sequence,
  type Expression,
  type GrammarBuilder,
} from "./gbnf.ts";
import {
  anyInteger,
  anyJson,
  anyNumber,
  comma,
  jsonList,
  jsonLiteral,
  jsonString,
  member,
  otherKey,
} from "./json-text.ts";
import { mostDigits, numberRange } from "./number-range.ts";
import { areDisjoint } from "./schema-disjoint.ts";
import { annotations, isSchema, mergeSchemas, typesOf, type Schema } from "./schema-merge.ts";
import { SchemaProblem, type SchemaPath } from "./schema-problem.ts";
import { stringFormats } from "./string-formats.ts";
import { patternExpression } from "./string-pattern.ts";

const mostRules = 20_000;
const deepest = 100;
const mostDecimals = 6;
/** Schemas that are looked at for one grammar; references let a short schema ask for any number of them. */
const mostWork = 25_000;
const workDone = new WeakMap<GrammarBuilder, number>();

const typeNames = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
type TypeName = (typeof typeNames)[number];

/** The keywords that are understood, by the type that they belong to. */
const keywordsOf: Readonly<Partial<Record<TypeName, readonly string[]>>> = {
  object: ["properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
};
const combining = ["type", "const", "enum", "anyOf", "oneOf", "allOf", "$ref"];
const known: ReadonlySet<string> = new Set([...combining, ...Object.values(keywordsOf).flat(), ...annotations]);

const numberFormats: Readonly<Record<string, readonly [number, number] | null>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: null,
  uint64: [0, 1e15 - 1],
  float: null,
  double: null,
};

export interface SchemaOptions {
  /** Whether what no grammar can express is left to the model instead of refused. */
  readonly lenient?: boolean;
}

function typeOfValue(value: unknown): TypeName[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  if (typeof value === "number") return Number.isInteger(value) ? ["integer", "number"] : ["number"];
  if (typeof value === "string") return ["string"];
  return [typeof value === "boolean" ? "boolean" : "object"];
}

/** References that are being followed with no character of the answer in between. */
type Open = ReadonlySet<string>;
const nothingOpen: Open = new Set();

/** The reference that is all that a schema asks for, alone or as the one part of `allOf`, with its place; or null. */
function onlyReference(schema: unknown, path: SchemaPath): { reference: string; path: SchemaPath } | null {
  if (!isSchema(schema)) return null;
  const [keyword, ...others] = Object.keys(schema).filter((key) => !annotations.has(key));
  if (others.length > 0) return null;
  if (keyword === "$ref" && typeof schema["$ref"] === "string")
    return { reference: schema["$ref"], path: [...path, "$ref"] };
  const all: unknown = schema["allOf"];
  return keyword === "allOf" && Array.isArray(all) && all.length === 1 && path.length <= deepest
    ? onlyReference(all[0], [...path, "allOf", 0])
    : null;
}

/** Writes the grammar of a schema's values: not of all of them, but only of such. */
class SchemaReader {
  readonly #grammar: GrammarBuilder;
  readonly #root: unknown;
  readonly #lenient: boolean;
  readonly #references = new Map<string, string>();

  constructor(grammar: GrammarBuilder, root: unknown, { lenient = false }: SchemaOptions) {
    this.#grammar = grammar;
    this.#root = root;
    this.#lenient = lenient;
  }

  #work(amount: number): void {
    const done = (workDone.get(this.#grammar) ?? 0) + amount;
    workDone.set(this.#grammar, done);
    if (done > mostWork) throw new SchemaProblem([], "is too large");
  }

  value(schema: unknown, path: SchemaPath, open: Open = nothingOpen): Expression {
    this.#work(1);
    if (this.#grammar.size > mostRules || path.length > deepest) throw new SchemaProblem([], "is too large");
    try {
      return this.#strictValue(schema, path, open);
    } catch (error) {
      if (!this.#lenient || !(error instanceof SchemaProblem) || error.path.length === 0) throw error;
      return anyJson(this.#grammar).value;
    }
  }

  #strictValue(schema: unknown, path: SchemaPath, open: Open): Expression {
    if (schema === true) return anyJson(this.#grammar).value;
    if (schema === false) throw new SchemaProblem(path, "allows no value");
    if (!isSchema(schema)) throw new SchemaProblem(path, "is not a schema");
    const only = onlyReference(schema, path);
    if (only !== null) return this.#reference(only.reference, only.path, open);
    const flat = this.#flatten(schema, path, open);
    for (const keyword of Object.keys(flat.schema))
      if (!known.has(keyword) && !keyword.startsWith("x-"))
        this.#cannot([...path, keyword], "is not supported in a schema that is enforced");
    return this.#flatValue(flat.schema, path, flat.open);
  }

  /** Something that no grammar can say. */
  #cannot(path: SchemaPath, message: string): void {
    if (!this.#lenient) throw new SchemaProblem(path, message);
  }

  #target(reference: string, path: SchemaPath): unknown {
    const outside = () => new SchemaProblem(path, `refers to ${reference}, which is not in this schema`);
    const keyOf = (part: string) => {
      try {
        return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      } catch {
        throw outside();
      }
    };
    if (reference !== "#" && !reference.startsWith("#/")) throw outside();
    let target: unknown = this.#root;
    for (const part of reference.split("/").slice(1)) {
      const key = keyOf(part);
      const inside: unknown =
        typeof target === "object" && target !== null && Object.hasOwn(target, key)
          ? (target as Record<string, unknown>)[key]
          : undefined;
      if (inside === undefined) throw outside();
      target = inside;
    }
    return target;
  }

  #follow(reference: string, path: SchemaPath, open: Open): Open {
    if (open.has(reference)) throw new SchemaProblem(path, "refers to itself and to nothing else");
    return new Set([...open, reference]);
  }

  #reference(reference: string, path: SchemaPath, open: Open): Expression {
    const inside = this.#follow(reference, path, open);
    const written = this.#references.get(reference);
    if (written !== undefined) return written;
    const target = this.#target(reference, path);
    const name = this.#grammar.reserve();
    this.#references.set(reference, name);
    const place = reference.split("/").slice(1);
    // Whatever happens, the name must mean something: other rules may have it already.
    this.#grammar.define(name, anyJson(this.#grammar).value);
    this.#grammar.define(name, this.value(target, place, inside));
    return name;
  }

  /** Without `$ref` and `allOf`: what they ask for stands in the schema itself. */
  #flatten(schema: Schema, path: SchemaPath, open: Open): { schema: Schema; open: Open } {
    this.#work(1);
    if (path.length > deepest) throw new SchemaProblem([], "is too large");
    const { $ref: reference, allOf: all, ...own } = schema;
    let flat: Schema = own;
    let followed = open;
    const add = (part: unknown, partPath: SchemaPath, before: Open) => {
      if (part === true) return;
      if (!isSchema(part)) throw new SchemaProblem(partPath, part === false ? "allows no value" : "is not a schema");
      const inside = this.#flatten(part, partPath, before);
      followed = new Set([...followed, ...inside.open]);
      flat = mergeSchemas(flat, inside.schema, path);
    };
    if (typeof reference === "string") {
      followed = this.#follow(reference, [...path, "$ref"], followed);
      add(this.#target(reference, [...path, "$ref"]), path, followed);
    }
    // Two parts may refer to the same: only what refers to itself has no end.
    if (Array.isArray(all)) all.forEach((part, index) => void add(part, [...path, "allOf", index], open));
    return { schema: flat, open: followed };
  }

  #flatValue(schema: Schema, path: SchemaPath, open: Open): Expression {
    if (schema["const"] !== undefined || schema["enum"] !== undefined) return this.#constants(schema, path);
    for (const keyword of ["anyOf", "oneOf"]) {
      const { [keyword]: branches, ...rest } = schema;
      if (branches !== undefined) return this.#branches(keyword, branches, rest, path, open);
    }
    const types = this.#types(schema, path);
    if (types === null) return anyJson(this.#grammar).value;
    return either(types.map((type) => this.#ofType(type, schema, path)));
  }

  #types(schema: Schema, path: SchemaPath): TypeName[] | null {
    const named = typesOf(schema);
    if (named !== null) {
      const types = named.filter((type): type is TypeName => typeNames.some((name) => name === type));
      if (types.length === 0 || types.length !== named.length)
        throw new SchemaProblem([...path, "type"], "names no JSON type");
      return types;
    }
    // Without a type, the keywords tell which one is meant; a value of that type is a valid one.
    const meant = typeNames.filter((type) => keywordsOf[type]?.some((keyword) => schema[keyword] !== undefined));
    return meant.length === 0 ? null : meant.slice(0, 1);
  }

  #constants(schema: Schema, path: SchemaPath): Expression {
    const listed = schema["const"] !== undefined ? [schema["const"]] : schema["enum"];
    const keyword = schema["const"] !== undefined ? "const" : "enum";
    if (!Array.isArray(listed)) throw new SchemaProblem([...path, "enum"], "is not a list");
    for (const beside of Object.keys(schema))
      if (known.has(beside) && !annotations.has(beside) && !["const", "enum", "type"].includes(beside))
        this.#cannot([...path, beside], `cannot be combined with ${keyword}`);
    const types = typesOf(schema);
    const values: unknown[] = listed.filter(
      (value: unknown) =>
        (types === null || typeOfValue(value).some((type) => types.includes(type))) &&
        (!Array.isArray(schema["enum"]) || keyword === "enum" || schema["enum"].includes(value)),
    );
    if (values.length === 0) throw new SchemaProblem([...path, keyword], "allows no value");
    const texts = values.map((value) => JSON.stringify(value));
    if (texts.reduce((sum, text) => sum + text.length, 0) > longestGrammar)
      throw new SchemaProblem([...path, keyword], "is too large");
    return this.#grammar.rule(oneOfTexts(texts));
  }

  #branches(keyword: string, branches: unknown, rest: Schema, path: SchemaPath, open: Open): Expression {
    const here = [...path, keyword];
    if (!Array.isArray(branches) || branches.length === 0) throw new SchemaProblem(here, "is not a list of schemas");
    if (keyword === "oneOf") {
      const flat = new Map<Schema, Schema>();
      const resolve = (branch: unknown) => {
        // Each pair of branches asks, so what is known already must count as well.
        this.#work(0.1);
        if (!isSchema(branch)) return branch;
        const resolved = flat.get(branch) ?? this.#flatten(branch, here, nothingOpen).schema;
        flat.set(branch, resolved);
        return resolved;
      };
      const typed = branches.map((branch: unknown) =>
        rest["type"] === undefined || !isSchema(branch) ? branch : { allOf: [{ type: rest["type"] }, branch] },
      );
      const overlap = typed.some((one: unknown, index) =>
        typed.slice(index + 1).some((other: unknown) => !areDisjoint(one, other, resolve)),
      );
      if (overlap) this.#cannot(here, "has branches that could match the same value; anyOf allows that");
    }
    const alone = Object.keys(rest).every((key) => annotations.has(key) || key.startsWith("x-"));
    const options: Expression[] = [];
    let problem: unknown;
    branches.forEach((branch: unknown, index) => {
      if (branch === false) return;
      try {
        const both = alone ? branch : { allOf: [rest, branch] };
        options.push(this.value(both, [...here, index], open));
      } catch (error) {
        // A branch that nothing can match beside the rest is no choice; the others may be.
        if (alone) throw error;
        problem = error;
      }
    });
    if (options.length > 0 && problem === undefined) return this.#grammar.rule(either(options));
    if (problem !== undefined) throw problem;
    throw new SchemaProblem(here, "allows no value");
  }

  #ofType(type: TypeName, schema: Schema, path: SchemaPath): Expression {
    switch (type) {
      case "null":
        return '"null"';
      case "boolean":
        return '("true" | "false")';
      case "string":
        return this.#string(schema, path);
      case "integer":
      case "number":
        return this.#number(type, schema, path);
      case "array":
        return this.#array(schema, path);
      case "object":
        return this.#object(schema, path);
    }
  }

  #count(schema: Schema, keyword: string, path: SchemaPath): number | null {
    const value = schema[keyword];
    if (value === undefined) return null;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
      throw new SchemaProblem([...path, keyword], "is not a count");
    if (value > mostRepetitions) throw new SchemaProblem([...path, keyword], `is over ${mostRepetitions}`);
    return value;
  }

  #counts(schema: Schema, least: string, most: string, path: SchemaPath): [number, number | null] {
    const [from, to] = [this.#count(schema, least, path) ?? 0, this.#count(schema, most, path)];
    if (to !== null && to < from) throw new SchemaProblem([...path, most], `is under ${least}`);
    return [from, to];
  }

  #string(schema: Schema, path: SchemaPath): Expression {
    const [least, most] = this.#counts(schema, "minLength", "maxLength", path);
    const { pattern, format } = schema;
    const inside =
      typeof pattern === "string"
        ? this.#pattern(pattern, path)
        : typeof format === "string"
          ? this.#format(format, path)
          : null;
    if (inside === null) return this.#grammar.rule(jsonString(this.#grammar, least, most));
    const second = typeof pattern === "string" ? "pattern" : "format";
    for (const beside of ["minLength", "maxLength", "format"])
      if (
        schema[beside] !== undefined &&
        beside !== second &&
        !(second === "format" && beside === "minLength" && least <= 1)
      )
        this.#cannot([...path, beside], `cannot be combined with ${second}`);
    return this.#grammar.rule(sequence('"\\""', inside, '"\\""'));
  }

  #pattern(pattern: string, path: SchemaPath): Expression | null {
    try {
      return patternExpression(pattern, this.#grammar);
    } catch (error) {
      const why = error instanceof Error ? error.message : "cannot be read";
      this.#cannot([...path, "pattern"], `the pattern ${why}, which cannot be enforced`);
      return null;
    }
  }

  #format(format: string, path: SchemaPath): Expression | null {
    const inside = stringFormats[format];
    if (inside !== undefined) return this.#grammar.rule(inside);
    this.#cannot(
      [...path, "format"],
      `${format} cannot be enforced; these can: ${Object.keys(stringFormats).join(", ")}`,
    );
    return null;
  }

  #number(type: "integer" | "number", schema: Schema, path: SchemaPath): Expression {
    const step = schema["multipleOf"];
    if (step !== undefined && !(type === "integer" && step === 1))
      this.#cannot([...path, "multipleOf"], "cannot be enforced");
    const { format } = schema;
    const formatRange = typeof format === "string" ? numberFormats[format] : null;
    if (formatRange === undefined)
      this.#cannot([...path, "format"], `${String(format)} is no format of numbers that is known`);
    const bounds: number[][] = [[], []];
    const decimals: number[] = [];
    const read = (keyword: string, side: number) => {
      const value = schema[keyword];
      if (value === undefined) return null;
      if (typeof value !== "number" || !Number.isFinite(value))
        throw new SchemaProblem([...path, keyword], "is not a number");
      bounds[side]?.push(value);
      decimals.push(decimalsOf(value));
      if (type === "number" && decimalsOf(value) > mostDecimals)
        throw new SchemaProblem([...path, keyword], `has more than ${mostDecimals} decimals`);
      return value;
    };
    const [min, above, max, below] = [
      read("minimum", 0),
      read("exclusiveMinimum", 0),
      read("maximum", 1),
      read("exclusiveMaximum", 1),
    ];
    const unbounded = min === null && above === null && max === null && below === null;
    if (unbounded && (formatRange ?? null) === null) return type === "integer" ? anyInteger : anyNumber;
    const range = (scale: number) => {
      const least = largest([
        min === null ? null : scaled(min, scale, "up"),
        above === null ? null : scaled(above, scale, "down") + 1n,
        formatRange === undefined || formatRange === null ? null : scaled(formatRange[0], scale, "up"),
      ]);
      const most = largest([
        max === null ? null : -scaled(max, scale, "down"),
        below === null ? null : -(scaled(below, scale, "up") - 1n),
        formatRange === undefined || formatRange === null ? null : -scaled(formatRange[1], scale, "down"),
      ]);
      return numberRange(least, most === null ? null : -most, scale);
    };
    const scales = type === "integer" ? [0] : [0, Math.max(2, ...decimals)];
    const options = scales.map(range).filter((option) => option !== null);
    if (options.length > 0) return this.#grammar.rule(either(options));
    const keyword = ["maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"].find((name) => name in schema);
    throw new SchemaProblem([...path, keyword ?? "type"], `leaves no number of at most ${mostDigits} digits`);
  }

  #array(schema: Schema, path: SchemaPath): Expression {
    const [least, most] = this.#counts(schema, "minItems", "maxItems", path);
    if (schema["uniqueItems"] === true && (most === null || most > 1))
      this.#cannot([...path, "uniqueItems"], "cannot be enforced");
    const { items, prefixItems } = schema;
    const [prefix, key] = Array.isArray(prefixItems)
      ? [prefixItems as unknown[], "prefixItems"]
      : Array.isArray(items)
        ? [items as unknown[], "items"]
        : [[], "items"];
    const others = Array.isArray(items) ? schema["additionalItems"] : items;
    const first = prefix
      .slice(0, most ?? prefix.length)
      .map((item, index) => this.#grammar.rule(this.value(item, [...path, key, index])));
    const further = most === null ? null : most - first.length;
    const needed = Math.max(0, least - first.length);
    if (others === false && needed > 0) throw new SchemaProblem([...path, "minItems"], "is more than items allow");
    const itemName = Array.isArray(items) ? "additionalItems" : "items";
    // After a fixed beginning, nothing more is written than must be.
    const item =
      others === false || further === 0 ? null : this.#grammar.rule(this.value(others ?? true, [...path, itemName]));
    if (first.length === 0) {
      return item === null ? '"[]"' : this.#grammar.rule(jsonList(this.#grammar, ["[", "]"], item, least, most));
    }
    const parts = first.flatMap((part, index) => (index === 0 ? [part] : [comma, part]));
    const tail =
      item === null || (others === undefined && needed === 0)
        ? '""'
        : this.#grammar.repeat(sequence(comma, item), needed, further);
    return this.#grammar.rule(sequence('"["', ...parts, tail, '"]"'));
  }

  #object(schema: Schema, path: SchemaPath): Expression {
    const grammar = this.#grammar;
    const properties = isSchema(schema["properties"]) ? schema["properties"] : {};
    const required = new Set(Array.isArray(schema["required"]) ? schema["required"].map(String) : []);
    const additional: unknown = schema["additionalProperties"];
    const names = [...new Set([...Object.keys(properties), ...required])];
    // Who lists properties, even none of them, means these.
    const open =
      additional === undefined ? schema["properties"] === undefined && names.length === 0 : additional !== false;
    const members: { required: boolean; expression: Expression }[] = [];
    for (const name of names) {
      const property = Object.hasOwn(properties, name) ? properties[name] : (additional ?? true);
      const [isRequired, place] = [required.has(name), [...path, "properties", name]];
      if (property === false && !isRequired) continue;
      const expression = grammar.rule(member(jsonLiteral(name), this.value(property, place)));
      members.push({ required: isRequired, expression });
    }
    const key = this.#key(schema, names, path);
    const extra = open
      ? grammar.rule(member(key, this.value(additional ?? true, [...path, "additionalProperties"])))
      : null;
    const [least, most] = this.#counts(schema, "minProperties", "maxProperties", path);
    if (members.length === 0) {
      // The same key may come twice, which counts once.
      if (least > (extra === null ? 0 : 1)) this.#cannot([...path, "minProperties"], "cannot be enforced");
      return extra === null ? '"{}"' : grammar.rule(jsonList(grammar, ["{", "}"], extra, Math.min(1, least), most));
    }
    if (least > members.filter((one) => one.required).length)
      this.#cannot([...path, "minProperties"], "cannot be enforced");
    if (most !== null && (extra !== null || members.length > most))
      this.#cannot([...path, "maxProperties"], "cannot be enforced");
    return grammar.rule(sequence('"{"', this.#members(members, extra), '"}"'));
  }

  /** In the order of the schema, with those left out that may be. */
  #members(members: readonly { required: boolean; expression: Expression }[], extra: string | null): Expression {
    const grammar = this.#grammar;
    const asRule = (expression: Expression) => (expression === '""' ? expression : grammar.rule(expression));
    // What may follow when some member stands already, and when none does.
    let rest: Expression = extra === null ? '""' : asRule(`${grammar.rule(sequence(comma, extra))}*`);
    let first: Expression = extra === null ? '""' : asRule(`${grammar.rule(sequence(extra, rest))}?`);
    for (const { required, expression } of members.toReversed()) {
      const here = sequence(expression, rest);
      first = asRule(required ? here : either([here, first]));
      const next = grammar.rule(sequence(comma, expression));
      rest = asRule(sequence(required ? next : `${next}?`, rest));
    }
    return first;
  }

  #key(schema: Schema, names: readonly string[], path: SchemaPath): Expression {
    const rule = schema["propertyNames"];
    const plain = names.length === 0 ? jsonString(this.#grammar) : otherKey(this.#grammar, names);
    if (rule === undefined || rule === true) return plain;
    const place = [...path, "propertyNames"];
    if (
      isSchema(rule) &&
      Object.keys(rule).every((key) => annotations.has(key) || (key === "type" && rule[key] === "string"))
    )
      return plain;
    if (names.length > 0) {
      this.#cannot(place, "cannot be combined with properties");
      return plain;
    }
    return this.value(isSchema(rule) ? { type: "string", ...rule } : rule, place);
  }
}

/** How many decimals a number is written with. */
function decimalsOf(value: number): number {
  const [, digits = "", exponent = "0"] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/u.exec(String(value)) ?? [];
  return Math.max(0, digits.length - Number(exponent));
}

/** A number times 10 to the power of `decimals`, as a whole number. */
function scaled(value: number, decimals: number, round: "up" | "down"): bigint {
  const limit = 10 ** mostDigits;
  const bounded = Math.max(-limit, Math.min(limit, value));
  if (decimalsOf(bounded) <= decimals) return BigInt(bounded.toFixed(decimals).replace(".", ""));
  const factor = 10 ** decimals;
  return BigInt(round === "up" ? Math.ceil(bounded * factor) : Math.floor(bounded * factor));
}

const largest = (values: readonly (bigint | null)[]): bigint | null =>
  values.reduce<bigint | null>(
    (most, value) => (value !== null && (most === null || value > most) ? value : most),
    null,
  );

/**
 * An expression whose matches are values of the schema, written compactly.
 * @throws {SchemaProblem} which names what no grammar can express, and where it stands.
 */
export function schemaExpression(grammar: GrammarBuilder, schema: unknown, options: SchemaOptions = {}): Expression {
  return new SchemaReader(grammar, schema, options).value(schema, []);
}

/**
 * The same for a part of a schema, which stands at `path` and may refer to the whole.
 * @throws {SchemaProblem}
 */
export function partExpression(
  grammar: GrammarBuilder,
  root: unknown,
  part: unknown,
  path: SchemaPath,
  options: SchemaOptions = {},
): Expression {
  return new SchemaReader(grammar, root, options).value(part, path);
}

/** Any JSON object. */
export const objectExpression = (grammar: GrammarBuilder): Expression => anyJson(grammar).object;
