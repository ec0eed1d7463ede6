import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ChatChunk, ErrorBody, QueenClient } from "@rbee/contract";

export type StreamEvent =
  { kind: "chunk"; chunk: ChatChunk; text: string } | { kind: "error"; error: ErrorBody["error"] } | { kind: "done" };

/** The events of a streamed chat answer, in order; the iteration ends when the connection does. */
export async function* chatEvents(response: Response): AsyncGenerator<StreamEvent> {
  if (response.body === null) throw new Error("the answer has no body");
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { data } of events) {
    if (data === "[DONE]") {
      yield { kind: "done" };
      continue;
    }
    const value = JSON.parse(data) as ChatChunk | ErrorBody;
    if ("error" in value) yield { kind: "error", error: value.error };
    else yield { kind: "chunk", chunk: value, text: value.choices[0]?.delta.content ?? "" };
  }
}

/** Token ids with which bee-tiny ends an answer; biased away, it talks until `max_tokens`. */
export const neverEnding = { logit_bias: { "0": -100, "2": -100 }, max_tokens: 900 } as const;

/** Starts an answer that lasts long enough to be disturbed, and gives its events. */
export async function longChat(client: QueenClient, signal?: AbortSignal): Promise<AsyncGenerator<StreamEvent>> {
  const response = await client.raw.chat({
    body: {
      model: "bee-tiny",
      stream: true,
      messages: [{ role: "user", content: "Tell me a story about a bee" }],
      ...neverEnding,
    },
    timeoutMs: 60_000,
    ...(signal === undefined ? {} : { signal }),
  });
  return chatEvents(response);
}

/** Reads a long answer until its first text, then disturbs it and reads it to its end. */
export async function disturbedChat(
  client: QueenClient,
  disturb: () => void | Promise<void>,
): Promise<{ last: StreamEvent; endedAfterMs: number }> {
  let last: StreamEvent | undefined;
  let disturbedAt: number | undefined;
  for await (const event of await longChat(client)) {
    last = event;
    if (disturbedAt === undefined && event.kind === "chunk" && event.text !== "") {
      disturbedAt = performance.now();
      await disturb();
    }
  }
  if (last === undefined || disturbedAt === undefined) throw new Error("the stream had no text");
  return { last, endedAfterMs: performance.now() - disturbedAt };
}
