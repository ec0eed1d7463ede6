import { errorBodySchema, type ChatChunk, type ChatAnswer, type ErrorBody } from "@rbee/contract";
import { createParser } from "eventsource-parser";
import { Reply } from "../reply.ts";

/** Tells one stream in another dialect: a chat's, unless it says otherwise. Each call gives the text to send, if any. */
export interface StreamTelling<Chunk = ChatChunk> {
  /** Before the first chunk, once it is known: what of the prompt was in the cache, and what was not. In tokens. */
  prompt?(counts: { cached: number; computed: number }): void;
  /** While nothing is to be told yet: what shows the client that somebody is there. */
  alive?(): string;
  chunk(chunk: Chunk): string;
  /** After the last chunk of a complete answer. */
  end(): string;
  /** Instead of the end. */
  error(error: ErrorBody["error"]): string;
}

/** How an answer is told in another dialect. */
export interface Telling<Whole = ChatAnswer, Chunk = ChatChunk> {
  /** Of a stream. */
  readonly contentType: string;
  whole(completion: Whole): unknown;
  stream(): StreamTelling<Chunk>;
}

const encoder = new TextEncoder();
const doneMark = "[DONE]";
/** The comment with which a worker tells what reading the prompt took. */
const promptComment = /^prompt (\d{1,9})\+(\d{1,9})$/u;

/** The value of an event; undefined for half of one, which the error event after it closes. */
function valueOf(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Reads a stream's bytes and gives what to send for them. */
function createTranslator<Chunk>(telling: StreamTelling<Chunk>): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder();
  let told = "";
  const parser = createParser({
    onComment(comment) {
      const counts = promptComment.exec(comment.trim());
      if (counts !== null) telling.prompt?.({ cached: Number(counts[1]), computed: Number(counts[2]) });
      told += telling.alive?.() ?? "";
    },
    onEvent({ data }) {
      if (data === doneMark) {
        told += telling.end();
        return;
      }
      const value = valueOf(data);
      if (value === undefined) return;
      const failed = errorBodySchema.safeParse(value).data;
      told += failed === undefined ? telling.chunk(value as Chunk) : telling.error(failed.error);
    },
  });
  return (bytes) => {
    parser.feed(decoder.decode(bytes, { stream: true }));
    const text = told;
    told = "";
    return text;
  };
}

/** The same answer in another dialect, whole or as it comes. */
export function retell<Whole, Chunk>(reply: Reply, telling: Telling<Whole, Chunk>): Reply {
  const { body, headers } = reply;
  if (typeof body === "string") return new Reply(headers, JSON.stringify(telling.whole(JSON.parse(body) as Whole)));
  return new Reply({ ...headers, "content-type": telling.contentType }, (sink) => {
    const translate = createTranslator(telling.stream());
    return body({
      write(bytes) {
        const text = translate(bytes);
        return text === "" || sink.write(encoder.encode(text));
      },
      end() {
        sink.end();
      },
    });
  });
}
