import { isSchema } from "../grammar/schema-merge.ts";

function typesOf(schema: unknown): readonly unknown[] | null {
  if (!isSchema(schema)) return null;
  const { type } = schema;
  return type === undefined ? null : Array.isArray(type) ? type : [type];
}

/** Whether all values of a schema are texts, so that they are written as they are. */
export function isTextSchema(schema: unknown): boolean {
  const types = typesOf(schema);
  if (types !== null) return types.length === 1 && types[0] === "string";
  const values: unknown = isSchema(schema)
    ? schema["const"] !== undefined
      ? [schema["const"]]
      : schema["enum"]
    : null;
  return Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === "string");
}

const typeName = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** The value that is meant by what is written, which is JSON or else a text. */
export function valueOf(raw: string, schema: unknown): unknown {
  const types = typesOf(schema);
  try {
    const value: unknown = JSON.parse(raw);
    const fits = (type: unknown) => type === typeName(value) || (type === "integer" && typeof value === "number");
    return types === null || types.some(fits) || !types.includes("string") ? value : raw;
  } catch {
    return raw;
  }
}
