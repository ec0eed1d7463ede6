import fc from "fast-check";

type Schema = Record<string, unknown>;

/** Keys as people write them, in several scripts, and as nobody should. */
const key = fc.constantFrom(
  "name",
  "age",
  "ключ",
  "名前",
  "🐝",
  'say "hi"',
  "back\\slash",
  "new\nline",
  "a b",
  "na",
  "names",
  "é",
  "__proto__x",
  "",
);
const text = fc.constantFrom("", "a", "yes", 'q"', "\\", "🐝é", "日本", "two words", "\t");

const strings: fc.Arbitrary<Schema> = fc.oneof(
  fc.record({ least: fc.nat(3), more: fc.nat(8) }).map(({ least, more }) => ({
    type: "string",
    minLength: least,
    maxLength: least + more,
  })),
  fc
    .constantFrom("^[a-z]{2,5}$", "^\\d{3}-\\d{2}$", "^(yes|no)!?$", '^[^"a-z]{1,4}$', "^\\w+@\\w{1,3}$", "^é[🐝x]?$")
    .map((pattern) => ({ type: "string", pattern })),
  fc.constantFrom("date", "uuid", "ipv4", "time").map((format) => ({ type: "string", format })),
);

const numbers: fc.Arbitrary<Schema> = fc.oneof(
  fc.constant({ type: "integer" }),
  fc.constant({ type: "number" }),
  fc.record({ low: fc.integer({ min: -2000, max: 2000 }), span: fc.nat(5000) }).map(({ low, span }) => ({
    type: "integer",
    minimum: low,
    maximum: low + span,
  })),
  fc
    .record({ low: fc.integer({ min: -50, max: 50 }), span: fc.integer({ min: 1, max: 100 }) })
    .map(({ low, span }) => ({
      type: "number",
      exclusiveMinimum: low / 4,
      maximum: (low + span) / 4,
    })),
  fc.constantFrom(
    { type: "integer", exclusiveMinimum: 0 },
    { type: "number", minimum: 0 },
    { type: "integer", maximum: -7 },
  ),
);

const constants: fc.Arbitrary<Schema> = fc.oneof(
  fc
    .uniqueArray(fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), { minLength: 1, maxLength: 4 })
    .map((values) => ({ enum: values })),
  text.map((value) => ({ const: value })),
  fc.constantFrom<Schema>({ type: "boolean" }, { type: "null" }, { type: ["string", "null"], maxLength: 5 }),
);

/** Schemas of all kinds that are enforced, nested up to a depth. */
const { schema } = fc.letrec<{ schema: Schema; leaf: Schema; object: Schema; array: Schema; choice: Schema }>(
  (tie) => ({
    leaf: fc.oneof(strings, numbers, constants),
    object: fc
      .record({
        members: fc.uniqueArray(fc.tuple(key, tie("schema"), fc.boolean()), {
          minLength: 1,
          maxLength: 4,
          selector: ([name]) => name,
        }),
        additional: fc.constantFrom<unknown>(false, undefined, { type: "integer", minimum: 1, maximum: 9 }),
      })
      .map(({ members, additional }) => ({
        type: "object",
        properties: Object.fromEntries(members.map(([name, property]) => [name, property])),
        required: members.flatMap(([name, , required]) => (required ? [name] : [])),
        ...(additional === undefined ? {} : { additionalProperties: additional }),
      })),
    array: fc.oneof(
      fc.record({ items: tie("schema"), least: fc.nat(2), more: fc.nat(2) }).map(({ items, least, more }) => ({
        type: "array",
        items,
        minItems: least,
        maxItems: least + more,
      })),
      fc.tuple(tie("leaf"), tie("leaf")).map((both) => ({
        type: "array",
        prefixItems: both,
        items: false,
        minItems: 2,
      })),
    ),
    choice: fc.oneof(
      fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((branches) => ({ anyOf: branches })),
      fc.tuple(tie("leaf"), tie("leaf")).map(([a, b]) => ({
        oneOf: [
          { type: "object", properties: { kind: { const: "a" }, a }, required: ["kind", "a"] },
          { type: "object", properties: { kind: { const: "b" }, b }, required: ["kind"] },
        ],
      })),
      tie("leaf").map((a) => ({
        allOf: [
          { type: "object", properties: { a }, required: ["a"] },
          { type: "object", properties: { b: { type: "boolean" } } },
        ],
      })),
    ),
    schema: fc.oneof(
      { maxDepth: 2, depthSize: "small" },
      { weight: 3, arbitrary: tie("leaf") },
      { weight: 3, arbitrary: tie("object") },
      { weight: 2, arbitrary: tie("array") },
      { weight: 2, arbitrary: tie("choice") },
    ),
  }),
);

/** A tree, a list or a mutual pair: schemas that refer to themselves. */
const recursive: fc.Arbitrary<Schema> = fc.oneof(
  schema.map((value) => ({
    $defs: {
      node: {
        type: "object",
        properties: { value, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
        required: ["next"],
        additionalProperties: false,
      },
    },
    $ref: "#/$defs/node",
  })),
  schema.map((leaf) => ({
    type: "object",
    properties: { leaf, children: { type: "array", items: { $ref: "#" }, maxItems: 1 } },
    required: ["leaf"],
    additionalProperties: false,
  })),
  schema.map((value) => ({
    definitions: {
      "a/b": { type: "array", items: { $ref: "#/definitions/c~d" }, maxItems: 2 },
      "c~d": { anyOf: [value, { $ref: "#/definitions/a~1b" }] },
    },
    allOf: [{ $ref: "#/definitions/a~1b" }],
  })),
);

/** JSON schemas that a worker enforces, references written as JSON pointers. */
export const jsonSchemas: fc.Arbitrary<Schema> = fc
  .oneof({ weight: 4, arbitrary: schema }, { weight: 1, arbitrary: recursive })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll("#/definitions/c~d", "#/definitions/c~0d")) as Schema);
