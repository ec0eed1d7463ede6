import { parseInput, RbeeError, type Endpoint, type Owner } from "@rbee/contract";
import { bearerToken, requireAdmin, requirePerson, type ClientInfo, type Person } from "#lib/server/accounts/index.ts";
import type { Queen } from "#lib/server/queen.ts";

/** A request as endpoints need it, whether SvelteKit or Node's own server took it. */
export interface Arrival {
  readonly queen: Queen;
  readonly requestId: string;
  readonly client: ClientInfo;
  readonly person: Person | null;
  /** Why the credentials that came do not count. */
  readonly refusal: RbeeError | null;
  readonly params: Partial<Record<string, string>>;
  readonly url: URL;
  readonly headers: Headers;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  header(name: string): string | null;
  /** The body as text. @throws {RbeeError} `payload_too_large`, `request_cancelled`. */
  text(): Promise<string>;
}

/** What machines send is small; what is larger is refused before it is read. Chats have the server's own limit. */
const machineBodyLimit = 1024 * 1024;

/** The refusal of a body that is larger than the server takes. */
export const tooLarge = (cause?: unknown): RbeeError =>
  new RbeeError("payload_too_large", "The request body is too large.", { cause });

/** The error of a request whose client left before it had sent everything. */
export const clientLeft = (cause?: unknown): RbeeError =>
  new RbeeError("request_cancelled", "The client went away.", { cause });

function guard(owner: Owner, { person, refusal }: Arrival, token: string | null): Person | null {
  // Whose token it is only the body says; without any, the body is not even read.
  if (owner === "hive" && token === null) throw new RbeeError("missing_api_key", "This needs the hive's token.");
  if (owner !== "person" && owner !== "admin") return person;
  if (person === null && refusal !== null) throw refusal;
  return owner === "admin" ? requireAdmin(person) : requirePerson(person);
}

async function readBody(endpoint: Endpoint, arrival: Arrival): Promise<unknown> {
  if (endpoint.body === undefined) return undefined;
  if (endpoint.owner !== "person" && endpoint.owner !== "admin") {
    const length = Number(arrival.header("content-length") ?? Number.NaN);
    if (!(length <= machineBodyLimit)) throw tooLarge();
  }
  const text = await arrival.text();
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

/**
 * Lets in whom the contract's table says, parses what it says, and asks for the answer.
 * @throws {RbeeError} of the guard, of parsing, and of the answer.
 */
export async function perform(row: Endpoint, arrival: Arrival, answer: (call: object) => unknown): Promise<unknown> {
  const token = bearerToken(arrival.header("authorization"));
  const person = guard(row.owner, arrival, token);
  const query =
    row.query === undefined ? undefined : parseInput(row.query, Object.fromEntries(arrival.url.searchParams));
  const body = await readBody(row, arrival);
  const { queen, client, params, requestId, signal, header } = arrival;
  return answer({
    queen,
    person,
    client,
    params,
    query,
    body,
    token,
    requestId,
    signal,
    header,
    // What few endpoints ask for is made when they do.
    get headers() {
      return arrival.headers;
    },
    get url() {
      return arrival.url;
    },
  });
}
