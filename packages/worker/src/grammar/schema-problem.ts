/** Where something stands in a JSON schema: `["properties", "age", "not"]`. */
export type SchemaPath = readonly (string | number)[];

/** A JSON schema, or a part of one, that no grammar can be made of. */
export class SchemaProblem extends Error {
  override readonly name = "SchemaProblem";
  readonly path: SchemaPath;

  constructor(path: SchemaPath, message: string) {
    super(message);
    this.path = path;
  }

  /** The place as it is written in an error's `param`: `properties.age.not`. */
  get place(): string {
    return this.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  }
}
