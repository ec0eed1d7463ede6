import {
  parseInput,
  queenEndpoints,
  RbeeError,
  toRbeeError,
  type Answer,
  type Endpoint,
  type Owner,
  type PathParams,
} from "@rbee/contract";
import type { RequestEvent } from "@sveltejs/kit";
import type { z } from "zod";
import { bearerToken, requireAdmin, requirePerson, type ClientInfo, type Person } from "#lib/server/accounts/index.ts";
import { currentQueen, type Queen } from "#lib/server/queen.ts";

type Endpoints = typeof queenEndpoints;
export type EndpointName = keyof Endpoints;

type PersonOf<O extends Owner> = O extends "person" | "admin" ? Person : Person | null;
type ParsedOf<E extends Endpoint, K extends "query" | "body"> =
  E extends Record<K, infer S extends z.ZodType> ? z.output<S> : undefined;
type ResultOf<A extends Answer> = A extends z.ZodType ? z.output<A> | Response : A extends "none" ? void : Response;

/** A request that passed its guard and was parsed by the contract. */
export interface Call<E extends Endpoint> {
  readonly queen: Queen;
  readonly person: PersonOf<E["owner"]>;
  readonly client: ClientInfo;
  readonly params: Record<PathParams<E["path"]>, string>;
  readonly query: ParsedOf<E, "query">;
  readonly body: ParsedOf<E, "body">;
  readonly headers: Headers;
  /** The bearer token as it came, for endpoints that hives own. */
  readonly token: string | null;
  readonly requestId: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  readonly url: URL;
}

/** What machines send is small; what is larger is refused before it is read. Chats have the server's own limit. */
const machineBodyLimit = 1024 * 1024;

function guard(owner: Owner, { person, refusal }: App.Locals, token: string | null): Person | null {
  // Whose token it is only the body says; without any, the body is not even read.
  if (owner === "hive" && token === null) throw new RbeeError("missing_api_key", "This needs the hive's token.");
  if (owner !== "person" && owner !== "admin") return person;
  if (person === null && refusal !== null) throw refusal;
  return owner === "admin" ? requireAdmin(person) : requirePerson(person);
}

const tooLarge = (cause?: unknown) => new RbeeError("payload_too_large", "The request body is too large.", { cause });

async function readBody(endpoint: Endpoint, request: Request): Promise<unknown> {
  if (endpoint.body === undefined) return undefined;
  if (endpoint.owner !== "person" && endpoint.owner !== "admin") {
    const length = Number(request.headers.get("content-length") ?? Number.NaN);
    if (!(length <= machineBodyLimit)) throw tooLarge();
  }
  const text = await request.text().catch((cause: unknown) => {
    if (request.signal.aborted) throw new RbeeError("request_cancelled", "The client went away.", { cause });
    throw tooLarge(cause);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RbeeError("invalid_request", "The request body is not valid JSON.", {
      cause,
      suggestion: "Send a JSON object with `content-type: application/json`.",
    });
  }
  return parseInput(endpoint.body, value);
}

function render(endpoint: Endpoint, result: unknown): Response {
  if (result instanceof Response) return result;
  if (endpoint.answer === "none") return new Response(null, { status: endpoint.status });
  return Response.json(result, { status: endpoint.status });
}

/** An error as the API answers it; what was not foreseen is logged under the request's id. */
export function errorResponse(thrown: unknown, requestId: string): Response {
  const error = toRbeeError(thrown);
  if (error.code === "internal_error") currentQueen().log.error({ err: thrown, requestId }, "request failed");
  return error.toResponse();
}

/**
 * The handler of one endpoint of the contract's table: lets in whom the table says, parses what the table says, and
 * answers with the table's status. Every error comes out in the one error shape.
 */
export function endpoint<N extends EndpointName>(
  name: N,
  answer: (call: Call<Endpoints[N]>) => ResultOf<Endpoints[N]["answer"]> | Promise<ResultOf<Endpoints[N]["answer"]>>,
): (event: RequestEvent) => Promise<Response> {
  const row: Endpoint = queenEndpoints[name];
  return async ({ locals, params, request, url }) => {
    try {
      const token = bearerToken(request.headers.get("authorization"));
      const person = guard(row.owner, locals, token);
      const query = row.query === undefined ? undefined : parseInput(row.query, Object.fromEntries(url.searchParams));
      const call = {
        queen: locals.queen,
        person,
        client: locals.client,
        params,
        query,
        body: await readBody(row, request),
        headers: request.headers,
        token,
        requestId: locals.requestId,
        signal: request.signal,
        url,
      };
      return render(row, await answer(call as unknown as Call<Endpoints[N]>));
    } catch (thrown) {
      return errorResponse(thrown, locals.requestId);
    }
  };
}
