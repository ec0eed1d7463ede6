import { isDeepStrictEqual } from "node:util";
import { isSchema, typesOf, type Schema } from "./schema-merge.ts";

const valuesOf = (schema: Schema): readonly unknown[] | null =>
  schema["const"] !== undefined ? [schema["const"]] : Array.isArray(schema["enum"]) ? schema["enum"] : null;

function typeOfValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

/** The types of values that can match, whole numbers counted as numbers; null when that is open. */
function typeNames(schema: Schema): ReadonlySet<string> | null {
  const values = valuesOf(schema);
  if (values !== null) return new Set(values.map(typeOfValue));
  const types = typesOf(schema);
  if (types === null) return null;
  return new Set(types.map((type) => (type === "integer" ? "number" : String(type))));
}

/** Whether only objects are written for it: those that have properties and no type are, unless a branch says other. */
function writesObjects(schema: Schema, types: ReadonlySet<string> | null): boolean {
  if (types === null) return schema["anyOf"] === undefined && schema["oneOf"] === undefined;
  return types.size === 1 && types.has("object");
}

/**
 * Whether no value can match both schemas, as far as that is plain to see: other types, other constants, or objects
 * that must have a property in which they differ. `resolve` follows references.
 */
export function areDisjoint(one: unknown, other: unknown, resolve: (schema: unknown) => unknown, depth = 0): boolean {
  const [a, b] = [resolve(one), resolve(other)];
  if (!isSchema(a) || !isSchema(b) || depth > 4) return false;
  const [aTypes, bTypes] = [typeNames(a), typeNames(b)];
  if (aTypes !== null && bTypes !== null && [...aTypes].every((type) => !bTypes.has(type))) return true;
  const [aValues, bValues] = [valuesOf(a), valuesOf(b)];
  if (aValues !== null && bValues !== null)
    return aValues.every((value) => bValues.every((also) => !isDeepStrictEqual(value, also)));
  const [inA, inB] = [a["properties"], b["properties"]];
  if (!isSchema(inA) || !isSchema(inB) || !writesObjects(a, aTypes) || !writesObjects(b, bTypes)) return false;
  const required = (schema: Schema, name: string) =>
    Array.isArray(schema["required"]) && schema["required"].includes(name);
  return Object.keys(inA).some(
    (name) =>
      Object.hasOwn(inB, name) &&
      required(a, name) &&
      required(b, name) &&
      areDisjoint(inA[name], inB[name], resolve, depth + 1),
  );
}
