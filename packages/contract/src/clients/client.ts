import type * as z from "zod";
import type { Answer, Endpoint, EndpointTable, PathParams } from "../endpoint.ts";
import { errorBodySchema, RbeeError, type ErrorCode } from "../errors.ts";

/** The part of `fetch` that a client needs, so that undici's or SvelteKit's can be handed in. */
export type FetchLike = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<Response>;

export interface ClientOptions {
  /** For example `http://127.0.0.1:7833`, without a slash at the end. */
  baseUrl: string;
  /** Sent as `Authorization: Bearer`; never part of an error message. */
  token?: string | undefined;
  fetch?: FetchLike;
  /** Time limit of one call, in milliseconds. Default 10 000. Of a stream and of `raw` calls it limits the headers only. */
  timeoutMs?: number;
  /** Code of the error when the other side does not accept the connection. */
  unreachable: { code: ErrorCode; message: string; suggestion?: string };
}

/** The same without what is said when nobody answers, which each kind of client knows itself. */
export type ClientParts = Omit<ClientOptions, "unreachable">;

type Simplify<T> = { [K in keyof T]: T[K] };
type ParamsPart<E extends Endpoint> = [PathParams<E["path"]>] extends [never]
  ? unknown
  : { params: Record<PathParams<E["path"]>, string> };
type QueryPart<E extends Endpoint> = E extends { query: infer Q extends z.ZodType } ? { query?: z.input<Q> } : unknown;
type BodyPart<E extends Endpoint> = E extends { body: infer B extends z.ZodType } ? { body: z.input<B> } : unknown;
export type CallInput<E extends Endpoint> = Simplify<
  ParamsPart<E> &
    QueryPart<E> &
    BodyPart<E> & { signal?: AbortSignal | undefined; timeoutMs?: number; headers?: Record<string, string> }
>;
export type CallOutput<A extends Answer> = A extends z.ZodType
  ? z.output<A>
  : A extends "none"
    ? void
    : A extends "text"
      ? string
      : Response;

type Call<E extends Endpoint> =
  Record<never, never> extends CallInput<E>
    ? (input?: CallInput<E>) => Promise<CallOutput<E["answer"]>>
    : (input: CallInput<E>) => Promise<CallOutput<E["answer"]>>;

export type Client<T extends EndpointTable> = { readonly [K in keyof T]: Call<T[K]> } & {
  /** The same calls, but answering the raw response: for streams. Errors are thrown all the same. */
  readonly raw: { readonly [K in keyof T]: (input: CallInput<T[K]>) => Promise<Response> };
};

interface LooseInput {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
  timeoutMs?: number;
  headers?: Record<string, string>;
}

function urlOf(baseUrl: string, endpoint: Endpoint, input: LooseInput): string {
  const path = endpoint.path.replace(/\{(\w+)\}/gu, (_, name: string) =>
    encodeURIComponent(input.params?.[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return `${baseUrl}${path}${text === "" ? "" : `?${text}`}`;
}

/** Makes a call and reads its answer within the time limit; rejects with `RbeeError`, or the reason of `input.signal`. */
async function send<T>(
  options: ClientOptions,
  endpoint: Endpoint,
  input: LooseInput,
  read: (response: Response) => T | Promise<T>,
): Promise<T> {
  const timeoutMs = input.timeoutMs ?? options.timeoutMs ?? 10_000;
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, timeoutMs);
  const headers: Record<string, string> = {
    ...input.headers,
    accept: endpoint.answer === "event-stream" ? "text/event-stream" : "application/json",
  };
  if (options.token !== undefined) headers["authorization"] = `Bearer ${options.token}`;
  if (input.body !== undefined) headers["content-type"] = "application/json";
  const signal = input.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, input.signal]);
  const doFetch: FetchLike = options.fetch ?? ((url, init) => fetch(url, init));
  const failure = (cause: unknown) => {
    if (input.signal?.aborted) return input.signal.reason as unknown;
    const { code, message, suggestion } = options.unreachable;
    const late = limit.signal.aborted ? ` No answer within ${timeoutMs / 1000} s.` : "";
    return new RbeeError(code, `${message}${late}`, { suggestion, cause });
  };
  try {
    const response = await doFetch(urlOf(options.baseUrl, endpoint, input), {
      method: endpoint.method,
      headers,
      signal,
      ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
    });
    if (!response.ok) throw await errorOf(response, options);
    return await read(response);
  } catch (thrown) {
    // An answer that the limit cut off would look like a broken one.
    throw thrown instanceof RbeeError && !signal.aborted ? thrown : failure(thrown);
  } finally {
    clearTimeout(timer);
  }
}

/** The error that a non-2xx answer carries; an answer that is not in our shape is `hive_invalid_response`. */
async function errorOf(response: Response, options: ClientOptions): Promise<RbeeError> {
  const text = await response.text().catch(() => "");
  let parsed: z.infer<typeof errorBodySchema> | undefined;
  try {
    parsed = errorBodySchema.safeParse(JSON.parse(text)).data;
  } catch {
    parsed = undefined;
  }
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  if (parsed !== undefined)
    return RbeeError.fromBody(parsed, "internal_error", Number.isFinite(retryAfter) ? retryAfter : undefined);
  return new RbeeError(
    "hive_invalid_response",
    `${options.baseUrl} answered ${response.status} without an rbee error.`,
    { suggestion: "Check that this address is rbee's." },
  );
}

async function readAnswer(response: Response, answer: Answer, options: ClientOptions): Promise<unknown> {
  if (answer === "event-stream" || answer === "bytes") return response;
  if (answer === "text") return response.text();
  if (answer === "none") {
    await response.body?.cancel();
    return undefined;
  }
  const result = answer.safeParse(await response.json().catch(() => undefined));
  if (result.success) return result.data;
  throw new RbeeError(
    "hive_invalid_response",
    `${options.baseUrl} answered something that is not part of the protocol.`,
    {
      details: { issues: result.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`) },
      suggestion: "Check that both sides run the same version of rbee.",
    },
  );
}

/** A typed client for every endpoint of a table. All calls throw `RbeeError`, with the code that the other side sent. */
export function createClient<T extends EndpointTable>(endpoints: T, options: ClientOptions): Client<T> {
  const calls: Record<string, unknown> = {};
  const raw: Record<string, unknown> = {};
  for (const [name, endpoint] of Object.entries(endpoints)) {
    raw[name] = (input: LooseInput) => send(options, endpoint, input, (response) => response);
    calls[name] = (input: LooseInput = {}) =>
      send(options, endpoint, input, (response) => readAnswer(response, endpoint.answer, options));
  }
  return { ...calls, raw } as Client<T>;
}
