import type { ErrorBody, Timings } from "@rbee/contract";
import { createParser } from "eventsource-parser";
import { words } from "#lib/words/index.ts";

export interface ChatProblem {
  code: string;
  message: string;
  suggestion?: string;
  retryAfterS?: number;
}

/** What the stream of an answer says, one thing at a time. It ends with exactly one `done` or `problem`. */
export type ChatEvent =
  | { type: "text"; text: string }
  /** What a reasoning model thinks before it answers. */
  | { type: "thought"; text: string }
  | { type: "queued"; place: number | null }
  | { type: "reading"; done: number; total: number }
  | { type: "timings"; timings: Timings }
  | { type: "finish"; reason: string }
  | { type: "problem"; problem: ChatProblem }
  | { type: "done" };

interface LooseChunk {
  error?: ErrorBody["error"];
  choices?: { delta?: { content?: string | null; reasoning_content?: string }; finish_reason?: string | null }[];
  timings?: Timings;
}

const broken: ChatProblem = {
  code: "stream_cut",
  message: words.chat.errors.cut,
  suggestion: words.chat.errors.cutSuggestion,
};

/** Turns an error in the API's shape into what the chat shows. */
export function problemOf(error: ErrorBody["error"], retryAfterS?: number): ChatProblem {
  const suggestion =
    error.code === "context_length_exceeded"
      ? (error.suggestion ?? words.chat.errors.contextSuggestion)
      : error.suggestion;
  return {
    code: error.code,
    message: error.message,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  };
}

function fromComment(comment: string): ChatEvent | undefined {
  const prefill = /^\s*prefill (\d+)\/(\d+)/u.exec(comment);
  if (prefill !== null) return { type: "reading", done: Number(prefill[1]), total: Number(prefill[2]) };
  const queued = /^\s*queued(?: (\d+))?/u.exec(comment);
  if (queued !== null) return { type: "queued", place: queued[1] === undefined ? null : Number(queued[1]) };
  return undefined;
}

function fromData(data: string): ChatEvent[] {
  if (data === "[DONE]") return [{ type: "done" }];
  let chunk: LooseChunk;
  try {
    chunk = JSON.parse(data) as LooseChunk;
  } catch {
    return [{ type: "problem", problem: broken }];
  }
  if (chunk.error !== undefined) return [{ type: "problem", problem: problemOf(chunk.error) }];
  const events: ChatEvent[] = [];
  const [choice] = chunk.choices ?? [];
  if (choice?.delta?.reasoning_content) events.push({ type: "thought", text: choice.delta.reasoning_content });
  if (choice?.delta?.content) events.push({ type: "text", text: choice.delta.content });
  if (chunk.timings !== undefined) events.push({ type: "timings", timings: chunk.timings });
  if (choice?.finish_reason) events.push({ type: "finish", reason: choice.finish_reason });
  return events;
}

/**
 * Reads the bytes of a chat stream. A stream that ends without `[DONE]` and without an error event was cut,
 * and says so: half an answer must not look like a whole one.
 */
export async function* readChatStream(body: ReadableStream<Uint8Array>): AsyncGenerator<ChatEvent> {
  const waiting: ChatEvent[] = [];
  const parser = createParser({
    onEvent: (event) => waiting.push(...fromData(event.data)),
    onComment: (comment) => {
      const event = fromComment(comment);
      if (event !== undefined) waiting.push(event);
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) parser.feed(decoder.decode(value, { stream: true }));
      for (const event of waiting.splice(0)) {
        yield event;
        if (event.type === "done" || event.type === "problem") return;
      }
      if (done) break;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  yield { type: "problem", problem: broken };
}
