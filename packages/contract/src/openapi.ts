import * as z from "zod";
import type { Endpoint, EndpointTable } from "./endpoint.ts";
import { errorBodySchema, errorCatalogue } from "./errors.ts";

type Json = Record<string, unknown>;

const schemaOf = (schema: z.ZodType, io: "input" | "output"): Json => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    reused: "inline",
    unrepresentable: "any",
  }) as Json;
  return inlineDefinitions(rest);
};

/** zod puts schemas with an id into `$defs` of each document; OpenAPI wants them where they are used. */
function inlineDefinitions(schema: Json): Json {
  const definitions = (schema["$defs"] ?? {}) as Record<string, Json>;
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    const { $ref, $defs: _defs, id, ...rest } = value as Json;
    const name = typeof $ref === "string" && $ref.startsWith("#/$defs/") ? $ref.slice("#/$defs/".length) : undefined;
    const target = name === undefined ? undefined : definitions[name];
    const resolved = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, resolve(inner)]));
    if (target === undefined)
      return typeof id === "string" && !Object.hasOwn(rest, "type")
        ? { ...resolved, id }
        : typeof id === "string"
          ? { title: id, ...resolved }
          : resolved;
    return { ...(resolve(target) as Json), ...resolved };
  };
  return resolve(schema) as Json;
}

const errorAnswers: Record<string, Json> = {
  "4XX": {
    description: "The request cannot be done; `error.code` says why.",
    content: { "application/json": { schema: schemaOf(errorBodySchema, "output") } },
  },
  "5XX": {
    description: "The household cannot do it now; `error.code` says why.",
    content: { "application/json": { schema: schemaOf(errorBodySchema, "output") } },
  },
};

function answerOf({ answer, status, summary }: Endpoint): Json {
  const content =
    answer === "none"
      ? undefined
      : answer === "event-stream"
        ? { "text/event-stream": { schema: { type: "string" } } }
        : answer === "text"
          ? { "text/plain": { schema: { type: "string" } } }
          : answer === "bytes"
            ? { "application/octet-stream": {} }
            : { "application/json": { schema: schemaOf(answer, "output") } };
  return { [String(status)]: { description: summary, ...(content === undefined ? {} : { content }) }, ...errorAnswers };
}

function parametersOf(endpoint: Endpoint): Json[] {
  const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/gu)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  if (endpoint.query === undefined) return inPath;
  const query = schemaOf(endpoint.query, "input");
  const required = (query["required"] ?? []) as string[];
  return [
    ...inPath,
    ...Object.entries((query["properties"] ?? {}) as Record<string, Json>).map(([name, schema]) => ({
      name,
      in: "query",
      required: required.includes(name),
      schema,
    })),
  ];
}

/** Builds an OpenAPI 3.1 document from a table of endpoints. */
export function openApiDocument(
  endpoints: EndpointTable,
  info: { title: string; version: string; description: string },
): Json {
  const paths: Record<string, Json> = {};
  for (const [operationId, endpoint] of Object.entries(endpoints)) {
    const item = (paths[endpoint.path] ??= {});
    const parameters = parametersOf(endpoint);
    item[endpoint.method.toLowerCase()] = {
      operationId,
      summary: endpoint.summary,
      tags: [endpoint.tag],
      "x-owner": endpoint.owner,
      ...(endpoint.owner === "public" || endpoint.owner === "join_token" ? { security: [] } : {}),
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(endpoint.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { "application/json": { schema: schemaOf(endpoint.body, "input") } },
            },
          }),
      responses: answerOf(endpoint),
    };
  }
  return {
    openapi: "3.1.0",
    info,
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
    "x-error-codes": errorCatalogue,
  };
}
