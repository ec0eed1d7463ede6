import { Agent, request } from "undici";

/** Where chats are sent: an HTTP address, or a Unix socket behind it. */
export interface Target {
  readonly name: string;
  readonly origin: string;
  readonly path: string;
  readonly socketPath?: string;
  readonly headers?: Record<string, string>;
}

export interface ChatSample {
  /** Milliseconds from sending the request to the first piece of text. */
  readonly ttftMs: number;
  /** Milliseconds from sending the request to the end of the stream. */
  readonly totalMs: number;
  /** Tokens generated, as the server reported them. */
  readonly tokens: number;
  /** Prompt tokens that the server computed, as it reported them; NaN when it did not. */
  readonly promptTokens: number;
  /** Prompt tokens that it knew already; NaN when it did not report them. */
  readonly cachedTokens: number;
  /** Of the tokens generated, those that were guessed right. */
  readonly guessedTokens: number;
}

/** A chat's body; only its length matters here. */
export interface ChatBody extends Record<string, unknown> {
  readonly max_tokens: number;
}

/** What llama-server says at the end of an answer of random weights, although every token was sent before. */
const noChatFormat = "does not match the expected peg-native format";

/** A sample of a run; those that began `together` at its start met each other in every queue on the way. */
export type RunSample = ChatSample & { readonly together: boolean };

/** A client with connections of its own. */
export class LoadClient {
  readonly #agent: Agent;
  readonly #target: Target;

  /** `keepAlive: false` opens a connection for each chat, for servers that close theirs whenever they like. */
  constructor(target: Target, connections: number, { keepAlive = true } = {}) {
    this.#target = target;
    this.#agent = new Agent({
      connections,
      pipelining: keepAlive ? 1 : 0,
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(target.socketPath === undefined ? {} : { connect: { socketPath: target.socketPath } }),
    });
  }

  /** One streamed chat. It fails when the stream does not end with `[DONE]`. */
  async chat(body: ChatBody): Promise<ChatSample> {
    const started = performance.now();
    const response = await request(`${this.#target.origin}${this.#target.path}`, {
      method: "POST",
      dispatcher: this.#agent,
      headers: { "content-type": "application/json", ...this.#target.headers },
      body: JSON.stringify({ ...body, stream: true }),
    });
    if (response.statusCode !== 200)
      throw new Error(`${this.#target.name} answered ${response.statusCode}: ${await response.body.text()}`);
    let ttftMs: number | undefined;
    let tail = "";
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      const text = chunk.toString("latin1");
      if (ttftMs === undefined && /"content":"[^"]/u.test(text)) ttftMs = performance.now() - started;
      tail = (tail + text).slice(-4_000);
    }
    const complete = tail.includes("[DONE]");
    const refused = !complete && tail.includes(noChatFormat);
    const tokens = refused ? body.max_tokens : Number(/"predicted_n":\s*(\d+)/u.exec(tail)?.[1]);
    if (ttftMs === undefined || !(complete || refused) || !Number.isFinite(tokens))
      throw new Error(`${this.#target.name} broke off: ${tail.slice(-300)}`);
    const told = (name: string) => Number(new RegExp(`"${name}":\\s*(\\d+)`, "u").exec(tail)?.[1]);
    return {
      ttftMs,
      totalMs: performance.now() - started,
      tokens,
      promptTokens: told("prompt_n"),
      cachedTokens: told("cache_n"),
      guessedTokens: told("draft_n_accepted") || 0,
    };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

export interface LoadResult {
  readonly tokensPerSecond: number;
  readonly samples: readonly RunSample[];
}

/** Sends `bodies` with `streams` of them in flight at any time. */
export async function runLoad(client: LoadClient, bodies: readonly ChatBody[], streams: number): Promise<LoadResult> {
  const waiting = bodies.values();
  let begun = 0;
  const samples: RunSample[] = [];
  const started = performance.now();
  const lane = async () => {
    for (const body of waiting) {
      const together = begun++ < streams;
      samples.push({ ...(await client.chat(body)), together });
    }
  };
  await Promise.all(Array.from({ length: streams }, lane));
  const seconds = (performance.now() - started) / 1000;
  return { tokensPerSecond: samples.reduce((sum, { tokens }) => sum + tokens, 0) / seconds, samples };
}
