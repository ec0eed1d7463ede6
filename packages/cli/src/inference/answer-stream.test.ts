import { RbeeError, streamErrorEvent } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { readAnswer, waitingFor, type AnswerEvent } from "./answer-stream.ts";

const chunk = (content: string, extra: object = {}) =>
  `data: ${JSON.stringify({
    id: "c1",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    system_fingerprint: "f",
    choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }],
    ...extra,
  })}\n\n`;

/** A body that delivers its bytes in pieces of a fixed size, so that events and characters are torn apart. */
function body(text: string, size = 7): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<AnswerEvent[]> {
  const events: AnswerEvent[] = [];
  for await (const event of readAnswer(stream)) events.push(event);
  return events;
}

describe("a streamed answer", () => {
  it("is put together from bytes that tear events and characters apart", async () => {
    const events = await collect(body(`${chunk("Grüße ")}${chunk("🐝")}data: [DONE]\n\n`));
    expect(events).toEqual([
      { type: "text", text: "Grüße " },
      { type: "text", text: "🐝" },
      { type: "end", timings: undefined },
    ]);
  });

  it("that ends with an error event throws that error", async () => {
    const error = new RbeeError("worker_crashed", "The worker died.", { suggestion: "Ask again." });
    await expect(collect(body(chunk("half") + streamErrorEvent(error)))).rejects.toMatchObject({
      code: "worker_crashed",
      message: "The worker died.",
      suggestion: "Ask again.",
    });
  });

  it("that stops without [DONE] is a failure, not an answer", async () => {
    await expect(collect(body(chunk("half")))).rejects.toThrow("broke off");
  });

  it("tells in its comments what it waits for", async () => {
    const events = await collect(body(`: queued\n\n: prefill 512/4096\n\n: ping\n\n${chunk("x")}data: [DONE]\n\n`));
    expect(events.slice(0, 2)).toEqual([
      { type: "waiting", what: "waits for a free slot" },
      { type: "waiting", what: "reads the prompt, 512 of 4096 tokens" },
    ]);
    expect(events).toHaveLength(4);
    expect(waitingFor("keep-alive")).toBeUndefined();
  });
});
