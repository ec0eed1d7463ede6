import type { Owner } from "@rbee/contract";
import { words } from "#lib/words/index.ts";

/** The part of a JSON schema that the page shows. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  format?: string;
}

interface Media {
  schema?: Schema;
}
interface Operation {
  operationId: string;
  summary: string;
  tags?: string[];
  "x-owner": Owner;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content?: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}

export interface ApiDocument {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, Operation>>;
  "x-error-codes"?: Record<string, { status: number; type: string; summary: string }>;
}

export interface EndpointDoc {
  id: string;
  method: string;
  path: string;
  summary: string;
  tag: string;
  owner: Owner;
  parameters: { name: string; place: string; required: boolean; schema: Schema }[];
  body: Schema | null;
  answers: { status: string; schema: Schema | null; kind: "json" | "stream" | "text" | "none" }[];
  /** Everything a search may hit, in lower case. */
  haystack: string;
}

const json = "application/json";

function answersOf(operation: Operation): EndpointDoc["answers"] {
  return Object.entries(operation.responses)
    .filter(([status]) => !/^[45]/u.test(status))
    .map(([status, { content }]) => ({
      status,
      schema: content?.[json]?.schema ?? null,
      kind:
        content === undefined
          ? "none"
          : content[json] !== undefined
            ? "json"
            : content["text/event-stream"] !== undefined
              ? "stream"
              : "text",
    }));
}

function namesIn(schema: Schema | undefined | null): string[] {
  if (!schema) return [];
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [name, ...namesIn(inner)]),
    ...namesIn(schema.items),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(namesIn),
  ];
}

/** The endpoints of a document, in its order. */
export function endpointsOf(document: ApiDocument): EndpointDoc[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const body = operation.requestBody?.content?.[json]?.schema ?? null;
      const answers = answersOf(operation);
      const parameters = (operation.parameters ?? []).map((parameter) => ({
        name: parameter.name,
        place: parameter.in,
        required: parameter.required === true,
        schema: parameter.schema,
      }));
      const names = [...namesIn(body), ...answers.flatMap(({ schema }) => namesIn(schema))];
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        summary: operation.summary,
        tag: operation.tags?.[0] ?? "service",
        owner: operation["x-owner"],
        parameters,
        body,
        answers,
        haystack: [method, path, operation.operationId, operation.summary, ...names].join(" ").toLowerCase(),
      };
    }),
  );
}

/** Groups endpoints by tag, keeping the order of both. */
export function byTag(endpoints: readonly EndpointDoc[]): [string, EndpointDoc[]][] {
  return [...Map.groupBy(endpoints, ({ tag }) => tag)];
}

const isNull = (schema: Schema) => schema.type === "null";

/** A schema without its `null` alternative, and whether it had one. */
export function withoutNull(schema: Schema): { schema: Schema; nullable: boolean } {
  const { anyOf, ...rest } = schema;
  if (anyOf === undefined || !anyOf.some(isNull)) return { schema, nullable: false };
  const others = anyOf.filter((alternative) => !isNull(alternative));
  const [only] = others;
  return {
    schema: others.length === 1 && only !== undefined ? { ...only, ...rest } : { ...rest, anyOf: others },
    nullable: true,
  };
}

const literal = (value: unknown) => JSON.stringify(value);

/** The type of a schema in a few words: `string`, `"admin" | "member"`, `array of Hive`. */
export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(" | ");
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return [...new Set(alternatives.map(typeOf))].join(" | ");
  if (schema.type === "array") return `array of ${schema.items === undefined ? "any" : typeOf(schema.items)}`;
  if (schema.type === "object") return schema.title ?? "object";
  if (Array.isArray(schema.type)) return schema.type.join(" | ");
  return schema.type ?? "any";
}

/** Limits of a value in words; empty when there are none worth a line. */
export function limitsOf(schema: Schema): string[] {
  const say = words.docs.limits;
  const safe = (value: number | undefined) => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  return [
    ...(safe(schema.minimum) ? [say.min(String(schema.minimum))] : []),
    ...(safe(schema.maximum) ? [say.max(String(schema.maximum))] : []),
    ...(schema.minLength === undefined || schema.minLength < 2 ? [] : [say.minLength(String(schema.minLength))]),
    ...(schema.maxLength === undefined ? [] : [say.maxLength(String(schema.maxLength))]),
    ...(schema.default === undefined ? [] : [words.docs.defaultValue(literal(schema.default))]),
  ];
}

export interface Child {
  name: string;
  schema: Schema;
  required: boolean;
}

/** The fields inside a schema: of an object, of the objects in an array, or of every alternative. */
export function childrenOf(schema: Schema): Child[] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).map(([name, inner]) => ({
      name,
      schema: inner,
      required: schema.required?.includes(name) === true,
    }));
  if (schema.items !== undefined) return childrenOf(withoutNull(schema.items).schema);
  if (typeof schema.additionalProperties === "object") return childrenOf(schema.additionalProperties);
  const alternatives = schema.anyOf ?? schema.oneOf ?? [];
  const merged = new Map<string, Child>();
  for (const child of alternatives.flatMap(childrenOf)) {
    const known = merged.get(child.name);
    const same = known === undefined || literal(known.schema) === literal(child.schema);
    merged.set(child.name, {
      name: child.name,
      schema: same || known === undefined ? child.schema : { anyOf: [known.schema, child.schema] },
      required: alternatives.every((alternative) => alternative.required?.includes(child.name) === true),
    });
  }
  return [...merged.values()];
}
