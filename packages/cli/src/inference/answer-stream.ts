import { chatChunkSchema, errorBodySchema, RbeeError, type Timings } from "@rbee/contract";
import { createParser } from "eventsource-parser";

/** What a streamed answer tells while it comes. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  /** What the household does before the first token, from the stream's comments. */
  | { readonly type: "waiting"; readonly what: string }
  | { readonly type: "end"; readonly timings: Timings | undefined };

type Item = AnswerEvent | { readonly type: "error"; readonly error: RbeeError };

/** The words for a comment of the stream; undefined for one that only keeps the connection alive. */
export function waitingFor(comment: string): string | undefined {
  const prefill = /^prefill (\d+)\/(\d+)$/u.exec(comment);
  if (prefill !== null) return `reads the prompt, ${prefill[1] ?? ""} of ${prefill[2] ?? ""} tokens`;
  if (comment.startsWith("queued")) return "waits for a free slot";
  if (comment.startsWith("loading")) return "loads the model";
  return undefined;
}

function parseData(data: string): Item[] {
  const value: unknown = JSON.parse(data);
  const failure = errorBodySchema.safeParse(value);
  if (failure.success) return [{ type: "error", error: RbeeError.fromBody(failure.data, "internal_error") }];
  const { choices, timings } = chatChunkSchema.parse(value);
  const text = choices[0]?.delta.content ?? "";
  return [
    ...(text === "" ? [] : [{ type: "text", text } as const]),
    ...(timings === undefined ? [] : [{ type: "end", timings } as const]),
  ];
}

/**
 * Reads the server-sent events of a streamed chat answer.
 * @throws {RbeeError} the error that the stream ended with; `worker_crashed` when it broke off without an end.
 */
export async function* readAnswer(body: ReadableStream<Uint8Array>): AsyncGenerator<AnswerEvent> {
  const items: Item[] = [];
  let timings: Timings | undefined;
  let done = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === "[DONE]") done = true;
      else items.push(...parseData(data));
    },
    onComment: (comment) => {
      const what = waitingFor(comment.trim());
      if (what !== undefined) items.push({ type: "waiting", what });
    },
  });
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    for (const item of items.splice(0)) {
      if (item.type === "error") throw item.error;
      if (item.type === "end") timings = item.timings;
      else yield item;
    }
    if (done) break;
  }
  if (!done)
    throw new RbeeError("worker_crashed", "The answer broke off before its end.", { suggestion: "Ask again." });
  yield { type: "end", timings };
}
