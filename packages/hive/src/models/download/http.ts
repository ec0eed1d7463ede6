import { RbeeError } from "@rbee/contract";
import { Agent, request, type Dispatcher } from "undici";
import type { Clock } from "../../clock.ts";

/** Where bytes come from, and who may see which credentials. */
export interface Origin {
  /** As people call it: the hub's host, or a hive's name. */
  readonly name: string;
  readonly kind: "hub" | "hive";
  /** Base address; credentials go to this host alone. */
  readonly baseUrl: string;
  readonly token: string | undefined;
}

/** A failure with what the next attempt needs to know. */
export class TransferError extends RbeeError {
  /** Whether another attempt may mend it. */
  readonly again: boolean;

  constructor(again: boolean, ...args: ConstructorParameters<typeof RbeeError>) {
    super(...args);
    this.again = again;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Dispatcher.ResponseData["body"];
}

/** Time that may pass without a byte. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  #cancel: () => void = () => {};

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get limitMs(): number {
    return this.#limitMs;
  }

  /** Something has come: the time begins anew. */
  heard(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(this.#limitMs, () => {
      this.#controller.abort();
    });
  }

  end(): void {
    this.#cancel();
  }
}

const mostRedirects = 8;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name could not be looked up",
  ENETUNREACH: "there is no network there",
  EHOSTUNREACH: "the machine cannot be reached",
  ETIMEDOUT: "it does not answer",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
  UND_ERR_SOCKET: "the connection broke off",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the connection broke off",
};

/** Why a connection failed, in words; addresses are not repeated, since they may carry signatures. */
export function networkReason(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code: unknown = Reflect.get(at, "code");
    if (typeof code === "string") return reasons[code] ?? `the connection failed (${code})`;
  }
  return "the connection failed";
}

/** One pool of connections for all downloads of a hive. */
export class Http {
  readonly #agent = new Agent({
    connect: { timeout: 10_000 },
    headersTimeout: 0,
    bodyTimeout: 0,
    // Downloads are few and long; a connection that lingers would hold the hive's end back.
    keepAliveTimeout: 1_000,
  });

  /**
   * Gets an address of an origin, following its redirects. A redirect leads only to https or to the origin's own host,
   * and the token is sent to that host alone.
   * @throws {TransferError} `download_failed`, `download_stalled`; the reason of `signal`.
   */
  async get(
    origin: Origin,
    path: string,
    options: { headers?: Record<string, string>; signal: AbortSignal; stall: StallWatch },
  ): Promise<Answer> {
    const { signal, stall } = options;
    const home = new URL(origin.baseUrl);
    let url = new URL(`${origin.baseUrl}${path}`);
    for (let redirects = 0; ; redirects += 1) {
      const atHome = url.host === home.host && url.protocol === home.protocol;
      const headers = {
        "user-agent": "rbee",
        "accept-encoding": "identity",
        ...options.headers,
        ...(atHome && origin.token !== undefined ? { authorization: `Bearer ${origin.token}` } : {}),
      };
      const { statusCode, headers: answered, body } = await this.#send(url, headers, origin, signal, stall);
      const plain = Object.fromEntries(
        Object.entries(answered).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
      );
      const location = plain["location"];
      if (statusCode < 300 || statusCode >= 400 || location === undefined)
        // A refusal elsewhere is about a signature that has run out, and not about who is asking.
        return { status: !atHome && (statusCode === 401 || statusCode === 403) ? 503 : statusCode, headers: plain, body };
      await body.dump();
      if (origin.kind === "hive" || redirects >= mostRedirects)
        throw new TransferError(false, "download_failed", `${origin.name} sends from one address to the next.`);
      url = this.#followed(location, url, home, origin);
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #followed(location: string, from: URL, home: URL, origin: Origin): URL {
    const next = URL.parse(location, from);
    if (next !== null && (next.protocol === "https:" || (next.host === home.host && next.protocol === home.protocol)))
      return next;
    throw new TransferError(false, "download_failed", `${origin.name} sends on to an address that is not https.`, {
      suggestion: "Check HF_ENDPOINT; rbee follows only encrypted addresses, and those of that server itself.",
    });
  }

  async #send(
    url: URL,
    headers: Record<string, string>,
    origin: Origin,
    signal: AbortSignal,
    stall: StallWatch,
  ): Promise<Dispatcher.ResponseData> {
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        headers,
        signal: AbortSignal.any([signal, stall.signal]),
      });
      stall.heard();
      return answer;
    } catch (error) {
      throw failureOf(error, origin, signal, stall);
    }
  }
}

/** What a request that threw means: told to stop, silence, or a broken connection. */
export function failureOf(error: unknown, origin: Origin, signal: AbortSignal, stall: StallWatch): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof RbeeError) return error;
  if (stall.signal.aborted)
    return new TransferError(true, "download_stalled", `${origin.name} sent nothing for ${stall.limitMs / 1_000} s.`, {
      suggestion: "Check the connection to the internet and try again; what is here is kept.",
    });
  return new TransferError(true, "download_failed", `${origin.name} cannot be read: ${networkReason(error)}.`, {
    suggestion: "Check the connection and try again; what is here is kept.",
    cause: error,
  });
}
