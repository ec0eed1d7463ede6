import { RbeeError } from "@rbee/contract";

export interface HubAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** Sent to this host alone. */
  readonly token: string | undefined;
}

export interface HubAsk {
  /** What is asked for, as a person would call it. */
  readonly what: string;
  /** More bytes than this are not read. */
  readonly limitBytes: number;
  /** First and last byte wanted. */
  readonly range?: readonly [number, number];
  readonly signal: AbortSignal;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name could not be looked up",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "it cannot be reached",
  UND_ERR_SOCKET: "the connection broke off",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
};

/** Why a request failed, in words, without addresses: those may carry signatures. */
function networkReason(thrown: unknown): string {
  for (let at = thrown; at instanceof Error; at = at.cause) {
    const code: unknown = Reflect.get(at, "code");
    if (typeof code === "string") return reasons[code] ?? `the connection failed (${code})`;
  }
  return "the connection failed";
}

const checkHub = "Check the connection to the internet, and HF_ENDPOINT if it is set.";

/** `Retry-After` in seconds, where it is a number. */
function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

/** What an answer that is no success means. */
function refusalOf(response: Response, { token }: HubAddress, host: string, what: string): RbeeError {
  const { status } = response;
  // The hub answers 401 also for what does not exist, and says so here.
  const missing = /^(?:Repo|Revision|Entry)NotFound$/u.test(response.headers.get("x-error-code") ?? "");
  const refused = status === 401 || status === 403;
  if (status === 404 || status === 410 || (refused && missing))
    return new RbeeError("download_not_found", `${host} has no ${what}.`, {
      suggestion:
        token === undefined
          ? "Check the spelling; if the model is private, set HF_TOKEN where the queen runs."
          : "Check the spelling.",
    });
  if (refused)
    return new RbeeError("download_forbidden", `${host} refuses ${what}.`, {
      suggestion:
        token === undefined
          ? "Ask for access on the model's page if it wants that, then set HF_TOKEN to a token that may read it."
          : "The HF_TOKEN of the queen may not read it: ask for access on the model's page, or set one that may.",
    });
  if (status === 429)
    return new RbeeError("download_failed", `${host} asks for patience (429).`, {
      suggestion: "Try again later.",
      retryAfterS: retryAfterOf(response),
    });
  return new RbeeError("download_failed", `${host} answered ${status} for ${what}.`, {
    suggestion: status >= 500 ? "Try again later." : checkHub,
  });
}

/** Reads a body to its end or to the limit, whichever comes first. */
async function readAtMost(body: ReadableStream<Uint8Array> | null, limitBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > limitBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Asks the hub for one thing within a time limit. Redirects lead to https or to the hub itself. */
export class HubHttp {
  readonly host: string;
  readonly #address: HubAddress;
  readonly #timeoutMs: number;

  constructor(address: HubAddress, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.host = new URL(address.url).host;
  }

  /** A signal that ends with the asker's or when the time is up. */
  within(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
  }

  /**
   * The bytes of an answer. The asker's leaving rejects with the reason of the signal.
   * @throws {RbeeError} `download_not_found`, `download_forbidden`, `download_failed`.
   */
  async bytes(path: string, ask: HubAsk): Promise<Buffer> {
    const { what, limitBytes, range, signal } = ask;
    try {
      const response = await fetch(`${this.#address.url}${path}`, {
        signal,
        headers: {
          "user-agent": "rbee",
          ...(range === undefined ? {} : { range: `bytes=${range[0]}-${range[1]}` }),
          ...(this.#address.token === undefined ? {} : { authorization: `Bearer ${this.#address.token}` }),
        },
      });
      this.#refuseDetour(response.url);
      if (!response.ok) {
        await response.body?.cancel();
        throw refusalOf(response, this.#address, this.host, what);
      }
      if (range !== undefined && response.status !== 206) {
        await response.body?.cancel();
        throw this.nonsense();
      }
      const body = await readAtMost(response.body, limitBytes);
      if (body === null) throw this.nonsense();
      return body;
    } catch (thrown) {
      throw this.#failureOf(thrown, signal);
    }
  }

  /** The same, as JSON. @throws {RbeeError} as `bytes` does. */
  async json(path: string, ask: HubAsk): Promise<unknown> {
    const bytes = await this.bytes(path, ask);
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch {
      throw this.nonsense();
    }
  }

  /** What answers is no hub, or not as one should. */
  nonsense(): RbeeError {
    return new RbeeError("download_failed", `${this.host} answers, but not as a hub of models does.`, {
      suggestion: checkHub,
    });
  }

  #refuseDetour(address: string): void {
    const { protocol, host } = new URL(address);
    if (protocol !== "https:" && host !== this.host)
      throw new RbeeError("download_failed", `${this.host} sends on to an address that is not https.`, {
        suggestion: checkHub,
      });
  }

  #failureOf(thrown: unknown, signal: AbortSignal): unknown {
    if (thrown instanceof RbeeError) return thrown;
    if (signal.aborted) {
      const isLate = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
      if (!isLate) return signal.reason;
      const limit = `${this.#timeoutMs / 1_000} s`;
      return new RbeeError("download_failed", `${this.host} did not answer within ${limit}.`, {
        suggestion: checkHub,
        cause: thrown,
      });
    }
    return new RbeeError("download_failed", `${this.host} cannot be asked: ${networkReason(thrown)}.`, {
      suggestion: checkHub,
      cause: thrown,
    });
  }
}
