import type * as z from "zod";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/**
 * Who may call an endpoint. Everybody else gets 401 (no or wrong credentials) or 403 (not allowed).
 * - `public`: anybody
 * - `person`: a signed-in person or one of their API keys
 * - `admin`: the same, with the administrator's role (on the queen's own machine also the local token)
 * - `hive`: the enrolled hive's token, on both sides
 * - `join_token`: a valid join token in the body
 * - `hive_process`: only the hive, through the worker's socket that no other user can open
 */
export type Owner = "public" | "person" | "admin" | "hive" | "join_token" | "hive_process";

/** What an endpoint answers: a JSON schema, or a stream, bytes or text that the caller reads itself. */
export type Answer = z.ZodType | "event-stream" | "bytes" | "text" | "none";

export interface Endpoint {
  readonly method: Method;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly owner: Owner;
  readonly tag: string;
  readonly summary: string;
  readonly status: number;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly answer: Answer;
}

export type EndpointTable = Readonly<Record<string, Endpoint>>;

/** The parameter names in a path: `/v1/hives/{id}` has `id`. */
export type PathParams<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParams<Rest>
  : never;
