import { streamErrorEvent, type RbeeError, type Timings, type Usage } from "@rbee/contract";
import { createParser } from "eventsource-parser";
import type { Ask } from "../asks.ts";
import type { TokenCounts } from "../metering.ts";
import type { Upstream, UpstreamReader } from "../upstream.ts";
import { callsOf, chunkSchema, countsOf, finishOf, stopOf, thoughtOf, usageOf, type ToldChunk } from "./answers.ts";
import { foreignFault, noAnswerOf, noEndOf } from "./refusal.ts";
import type { ForeignServer } from "./server.ts";

/** A stream of somebody else's server, told as one of ours. */
export interface ForeignStream extends Upstream {
  /** What the server counted; null while, and when, it did not tell. */
  counts(): TokenCounts | Timings | null;
}

/** An event that is longer comes from no server of models. */
const longestEvent = 8 * 1024 * 1024;
const eventOf = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const tellsError = (value: object): boolean =>
  Object.hasOwn(value, "error") || (value as { object?: unknown }).object === "error";

type Choice = NonNullable<ToldChunk["choices"]>[number];

function chatChoice({ index, delta = {}, logprobs, finish_reason, stop_reason }: Choice, isFirst: boolean) {
  const { content } = delta;
  const calls = callsOf(delta).map(({ index: at, id, name, arguments: args }) => ({
    index: at,
    ...(id === undefined ? {} : { id, type: "function" }),
    function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
  }));
  return {
    index: index ?? 0,
    delta: {
      ...(isFirst ? { role: "assistant" } : {}),
      ...(content === undefined || content === null || (content === "" && !isFirst) ? {} : { content }),
      ...thoughtOf(delta),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    },
    logprobs: logprobs ?? null,
    finish_reason: finishOf(finish_reason),
    ...stopOf(stop_reason),
  };
}

const completionChoice = ({ index, text, logprobs, finish_reason }: Choice) => ({
  index: index ?? 0,
  text: text ?? "",
  logprobs: logprobs ?? null,
  finish_reason: finishOf(finish_reason),
});

/** Reads a server's events and gives what to send for them. */
class Translation {
  usage: Usage | null = null;
  timings: Timings | null = null;
  /** Whether nothing has come yet. */
  isEmpty = true;
  /** Why nothing more is to come. */
  fault: RbeeError | null = null;
  readonly #ask: Ask;
  readonly #server: ForeignServer;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: ({ data }) => {
      this.#event(data);
    },
  });
  readonly #wantsUsage: boolean;
  #head: { id: string; created: number; model: string; system_fingerprint: string } | undefined;
  #told = "";
  #unread = 0;
  #done = false;
  readonly #begun = new Set<number>();

  constructor(ask: Ask, server: ForeignServer) {
    this.#ask = ask;
    this.#server = server;
    const { stream_options: options } = ask.body as { stream_options?: { include_usage?: boolean } | null };
    this.#wantsUsage = options?.include_usage === true;
  }

  take(bytes: Uint8Array): string {
    this.isEmpty = false;
    this.#unread += bytes.length;
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    if (this.#unread > longestEvent) this.#fail(noAnswerOf(this.#server));
    const told = this.#told;
    this.#told = "";
    return told;
  }

  /** The bytes have ended: what is to be sent last. */
  close(): string {
    if (!this.#done) this.#fail(noEndOf(this.#server));
    const told = this.#told;
    this.#told = "";
    return told;
  }

  #event(data: string): void {
    this.#unread = 0;
    if (this.fault !== null || this.#done) return;
    if (data.trim() === "[DONE]") {
      this.#end();
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      value = undefined;
    }
    if (typeof value !== "object" || value === null) this.#fail(noAnswerOf(this.#server));
    else if (tellsError(value)) this.#fail(foreignFault(value, this.#server));
    else this.#chunk(chunkSchema.safeParse(value).data);
  }

  #chunk(chunk: ToldChunk | undefined): void {
    if (chunk === undefined) {
      this.#fail(noAnswerOf(this.#server));
      return;
    }
    this.usage = usageOf(chunk) ?? this.usage;
    this.timings = chunk.timings ?? this.timings;
    const { choices } = chunk;
    if (choices === undefined || choices === null || choices.length === 0) return;
    const isChat = this.#ask.path === "/v1/chat/completions";
    this.#head ??= {
      id: chunk.id ?? `${isChat ? "chatcmpl" : "cmpl"}-${crypto.randomUUID()}`,
      created: chunk.created ?? Math.floor(Date.now() / 1_000),
      model: this.#ask.model,
      system_fingerprint: chunk.system_fingerprint ?? "",
    };
    const told = choices.map((choice) => {
      if (!isChat) return completionChoice(choice);
      const index = choice.index ?? 0;
      const isFirst = !this.#begun.has(index);
      this.#begun.add(index);
      return chatChoice(choice, isFirst);
    });
    const timings = chunk.timings === undefined ? {} : { timings: chunk.timings };
    this.#told += eventOf({ ...this.#head, object: this.#object, choices: told, ...timings });
  }

  get #object(): string {
    return this.#ask.path === "/v1/chat/completions" ? "chat.completion.chunk" : "text_completion";
  }

  #end(): void {
    this.#done = true;
    if (this.#wantsUsage && this.usage !== null && this.#head !== undefined)
      this.#told += eventOf({ ...this.#head, object: this.#object, choices: [], usage: this.usage });
    this.#told += "data: [DONE]\n\n";
  }

  #fail(error: RbeeError): void {
    if (this.fault !== null || this.#done) return;
    this.fault = error;
    this.#told += streamErrorEvent(error);
  }
}

/**
 * A stream of somebody else's server as one of ours: the model by the name that was asked for, what was counted only
 * where the client wants it, and an error in the middle as an error event, after which nothing comes.
 */
export function foreignStream(upstream: Upstream, ask: Ask, server: ForeignServer): ForeignStream {
  const translation = new Translation(ask, server);
  let current: UpstreamReader | null = null;
  let over = false;
  const finish = () => {
    const reader = current;
    current = null;
    reader?.end();
  };
  const inner: UpstreamReader = {
    data(chunk) {
      const text = translation.take(chunk);
      if (text !== "") current?.data(Buffer.from(text));
      if (translation.fault === null) return;
      over = true;
      upstream.read(null);
      upstream.abort();
      finish();
    },
    end() {
      // Nothing at all is told as such by whoever reads.
      const text = translation.isEmpty ? "" : translation.close();
      if (text !== "") current?.data(Buffer.from(text));
      finish();
    },
    error(cause) {
      const reader = current;
      current = null;
      reader?.error(cause);
    },
  };
  return {
    contentType: upstream.contentType,
    read(reader) {
      current = reader;
      if (over) finish();
      else upstream.read(reader === null ? null : inner);
    },
    get paused() {
      return upstream.paused;
    },
    pause() {
      upstream.pause();
    },
    resume() {
      upstream.resume();
    },
    abort() {
      upstream.abort();
    },
    counts: () => countsOf(translation.timings, translation.usage),
  };
}
