import { streamErrorEvent, type RbeeError, type Timings, type Usage } from "@rbee/contract";
import { createParser } from "eventsource-parser";
import type { Ask } from "../asks.ts";
import type { TokenCounts } from "../metering.ts";
import type { Upstream, UpstreamReader } from "../upstream.ts";
import { callsOf, chunkSchema, countsOf, finishOf, stopOf, thoughtOf, usageOf, type ToldChunk } from "./answers.ts";
import { foreignFault, noAnswerOf, noEndOf, tellsError } from "./refusal.ts";
import type { ForeignServer } from "./server.ts";

/** A stream of somebody else's server, told as one of ours. */
export interface ForeignStream extends Upstream {
  /** What the server counted; null while, and when, it did not tell. */
  counts(): TokenCounts | Timings | null;
}

/** An event that is longer comes from no server of models. */
const longestEvent = 8 * 1024 * 1024;
const eventOf = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
/** What a server sends so that nobody takes it for dead. Its words stay out: ours mean something in such a line. */
const signOfLife = ":\n\n";
/** How long a connection may stay open after the end of its answer, to be used again. */
const lingerMs = 1_000;

type ToldCall = Pick<ReturnType<typeof callsOf>[number], "index" | "id" | "name">;
type Choice = NonNullable<ToldChunk["choices"]>[number];

/** What has come of one choice. */
class Begun {
  isFirst = true;
  /** The calls of tools in their order, by their ids. */
  readonly #calls: (string | undefined)[] = [];

  get calls(): boolean {
    return this.#calls.length > 0;
  }

  /** Which call a piece belongs to: some servers give no numbers, one chunk for each call. */
  placeOf({ index, id, name }: ToldCall): number {
    const known = id === undefined ? -1 : this.#calls.indexOf(id);
    const isNew = id === undefined ? name !== undefined : known === -1;
    const last = Math.max(0, this.#calls.length - 1);
    const place = index ?? (isNew ? this.#calls.length : known === -1 ? last : known);
    if (place >= this.#calls.length) this.#calls[place] = id;
    return place;
  }
}

function chatChoice({ index, delta = {}, logprobs, finish_reason, stop_reason }: Choice, begun: Begun) {
  const { isFirst } = begun;
  begun.isFirst = false;
  const { content } = delta;
  const calls = callsOf(delta).map(({ id, name, arguments: args, ...call }) => ({
    index: begun.placeOf({ id, name, ...call }),
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
    finish_reason: finishOf(finish_reason, begun.calls),
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
  /** Whether the server said that its answer is complete. */
  isDone = false;
  /** Why nothing more is to come. */
  fault: RbeeError | null = null;
  readonly #ask: Ask;
  readonly #server: ForeignServer;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: ({ data }) => {
      this.#event(data);
    },
    onComment: (comment) => {
      // Not a word of it is kept, so it does not count as unread; what is around it does.
      this.#unread = Math.max(0, this.#unread - comment.length - signOfLife.length);
      if (this.fault === null && !this.isDone && !this.#told.endsWith(signOfLife)) this.#told += signOfLife;
    },
  });
  readonly #wantsUsage: boolean;
  #head: { id: string; created: number; model: string; system_fingerprint: string } | undefined;
  #told = "";
  #unread = 0;
  /** Whether its bytes have ended: what is whole without a blank line counts, a half does not. */
  #closing = false;
  readonly #begun = new Map<number, Begun>();

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
    this.#closing = true;
    this.#parser.feed(`${this.#decoder.decode()}\n\n`);
    if (!this.isDone) this.#fail(noEndOf(this.#server));
    const told = this.#told;
    this.#told = "";
    return told;
  }

  #event(data: string): void {
    this.#unread = 0;
    if (this.fault !== null || this.isDone) return;
    if (data.trim() === "[DONE]") {
      this.#end();
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      if (this.#closing) return;
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
      const begun = this.#begun.get(index) ?? new Begun();
      this.#begun.set(index, begun);
      return chatChoice(choice, begun);
    });
    const timings = chunk.timings === undefined ? {} : { timings: chunk.timings };
    this.#told += eventOf({ ...this.#head, object: this.#object, choices: told, ...timings });
  }

  get #object(): string {
    return this.#ask.path === "/v1/chat/completions" ? "chat.completion.chunk" : "text_completion";
  }

  #end(): void {
    this.isDone = true;
    if (this.#wantsUsage && this.usage !== null && this.#head !== undefined)
      this.#told += eventOf({ ...this.#head, object: this.#object, choices: [], usage: this.usage });
    this.#told += "data: [DONE]\n\n";
  }

  #fail(error: RbeeError): void {
    if (this.fault !== null || this.isDone) return;
    this.fault = error;
    this.#told += streamErrorEvent(error);
  }
}

/** Nothing more is wanted of it: its connection may end by itself, or is dropped. */
function letGo(upstream: Upstream): void {
  const timer = setTimeout(() => {
    upstream.read(null);
    upstream.abort();
  }, lingerMs).unref();
  const ended = () => {
    clearTimeout(timer);
  };
  upstream.read({ data: () => undefined, end: ended, error: ended });
  upstream.resume();
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
      if (translation.fault !== null) {
        over = true;
        upstream.read(null);
        upstream.abort();
        finish();
      } else if (translation.isDone) {
        over = true;
        letGo(upstream);
        finish();
      }
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
