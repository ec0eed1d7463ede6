import {
  queenEndpoints,
  toRbeeError,
  type Answer,
  type Endpoint,
  type Owner,
  type PathParams,
  RbeeError,
} from "@rbee/contract";
import type { RequestEvent } from "@sveltejs/kit";
import type * as z from "zod";
import type { ClientInfo, Person } from "#lib/server/accounts/index.ts";
import { Reply } from "#lib/server/inference/index.ts";
import { currentQueen, type Queen } from "#lib/server/queen.ts";
import { BodyTime, tooSlow } from "./body-time.ts";
import { errorText } from "./error-shape.ts";
import { clientLeft, perform, tooLarge, type Arrival } from "./perform.ts";

type Endpoints = typeof queenEndpoints;
export type EndpointName = keyof Endpoints;

type PersonOf<O extends Owner> = O extends "person" | "admin" ? Person : Person | null;
type ParsedOf<E extends Endpoint, K extends "query" | "body"> =
  E extends Record<K, infer S extends z.ZodType> ? z.output<S> : undefined;
type ResultOf<A extends Answer> = A extends z.ZodType
  ? z.output<A> | Reply | Response
  : A extends "none"
    ? void
    : Reply | Response;

/** A request that passed its guard and was parsed by the contract. */
export interface Call<E extends Endpoint> {
  readonly queen: Queen;
  readonly person: PersonOf<E["owner"]>;
  readonly client: ClientInfo;
  readonly params: Record<PathParams<E["path"]>, string>;
  readonly query: ParsedOf<E, "query">;
  readonly body: ParsedOf<E, "body">;
  readonly headers: Headers;
  /** One header's value, by its name in lower case. */
  readonly header: (name: string) => string | null;
  /** The bearer token as it came, for endpoints that hives own. */
  readonly token: string | null;
  readonly requestId: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  readonly url: URL;
}

/** How one endpoint is answered. */
export type Answering<N extends EndpointName> = (
  call: Call<Endpoints[N]>,
) => ResultOf<Endpoints[N]["answer"]> | Promise<ResultOf<Endpoints[N]["answer"]>>;

/** The same for an endpoint that is also answered without SvelteKit, where a web response has no place. */
export type DirectAnswering<N extends EndpointName> = (
  call: Call<Endpoints[N]>,
) => Promise<Exclude<ResultOf<Endpoints[N]["answer"]>, Response>>;

/** An error as the API tells it; what was not foreseen is logged under the request's id. */
export function toldError(thrown: unknown, requestId: string): RbeeError {
  const error = toRbeeError(thrown);
  if (error.code === "internal_error") currentQueen().log.error({ err: thrown, requestId }, "request failed");
  return error;
}

/** The same as a response. */
export function errorResponse(thrown: unknown, requestId: string, pathname: string): Response {
  const error = toldError(thrown, requestId);
  return new Response(errorText(error, pathname, requestId), { status: error.status, headers: error.headers() });
}

function render(endpoint: Endpoint, result: unknown): Response {
  if (result instanceof Response) return result;
  if (result instanceof Reply) return result.toResponse();
  if (endpoint.answer === "none") return new Response(null, { status: endpoint.status });
  return Response.json(result, { status: endpoint.status });
}

async function textOf({ body, signal }: Request): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const late = Promise.withResolvers<never>();
  const time = new BodyTime(() => {
    late.reject(tooSlow());
  });
  let text = "";
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) return text + decoder.decode();
      time.arrived(value.length);
      text += decoder.decode(value, { stream: true });
    }
  } catch (cause) {
    if (cause instanceof RbeeError) throw cause;
    throw signal.aborted ? clientLeft(cause) : tooLarge(cause);
  } finally {
    time.end();
  }
}

const arrivalOf = ({ locals, params, request, url }: RequestEvent): Arrival => ({
  ...locals,
  params,
  url,
  headers: request.headers,
  signal: request.signal,
  header: (name) => request.headers.get(name),
  text: () => textOf(request),
});

/**
 * The handler of one endpoint of the contract's table: lets in whom the table says, parses what the table says, and
 * answers with the table's status. Every error comes out in the one error shape.
 */
export function endpoint<N extends EndpointName>(
  name: N,
  answer: Answering<N>,
): (event: RequestEvent) => Promise<Response> {
  const row: Endpoint = queenEndpoints[name];
  return async (event) => {
    try {
      return render(row, await perform(row, arrivalOf(event), answer as (call: object) => unknown));
    } catch (thrown) {
      return errorResponse(thrown, event.locals.requestId, event.url.pathname);
    }
  };
}
