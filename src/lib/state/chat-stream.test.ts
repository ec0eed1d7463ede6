import { describe, expect, it } from "vitest";
import { readChatStream, type ChatEvent } from "./chat-stream.ts";

/** The bytes of `text` in pieces of `size`, so that lines and characters are cut anywhere. */
function pieces(text: string, size = 7): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        return;
      }
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

async function eventsOf(text: string, size?: number): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of readChatStream(pieces(text, size))) events.push(event);
  return events;
}

const chunk = (content: string | null, extra: object = {}) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: content === null ? {} : { content }, finish_reason: null, ...extra }] })}\n\n`;
const done = "data: [DONE]\n\n";
const textOf = (events: ChatEvent[]) => events.map((event) => (event.type === "text" ? event.text : "")).join("");

describe("a chat stream", () => {
  it("keeps what a model thinks apart from what it says", async () => {
    const thought = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: null, reasoning_content: "hm" } }] })}\n\n`;
    const events = await eventsOf(thought + chunk("Yes.") + done);
    expect(events.slice(0, 2)).toEqual([
      { type: "thought", text: "hm" },
      { type: "text", text: "Yes." },
    ]);
  });

  it("gives the same text however its bytes are cut", async () => {
    const text = chunk("Ich bin ") + chunk("bee-tiny 🐝") + chunk(null, { finish_reason: "stop" }) + done;
    for (const size of [1, 2, 3, 5, 64, 4096]) {
      const events = await eventsOf(text, size);
      expect(textOf(events)).toBe("Ich bin bee-tiny 🐝");
      expect(events.at(-1)).toEqual({ type: "done" });
    }
  });

  it("tells why it waits", async () => {
    const events = await eventsOf(`: queued\n\n: queued 3\n\n: prefill 512/4096\n\n: ping\n\n${done}`);
    expect(events).toEqual([
      { type: "queued", place: null },
      { type: "queued", place: 3 },
      { type: "reading", done: 512, total: 4096 },
      { type: "done" },
    ]);
  });

  it("gives the timings of the last chunk", async () => {
    const timings = {
      cache_n: 0,
      prompt_n: 8,
      prompt_ms: 10,
      prompt_per_second: 800,
      predicted_n: 5,
      predicted_ms: 50,
      predicted_per_second: 100,
    };
    const last = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "length" }], timings })}\n\n`;
    expect(await eventsOf(chunk("a") + last + done)).toEqual([
      { type: "text", text: "a" },
      { type: "timings", timings },
      { type: "finish", reason: "length" },
      { type: "done" },
    ]);
  });

  it("ends with the error that the queen put into the stream, and reads nothing after it", async () => {
    const error = { message: "The worker process died.", type: "server_error", param: null, code: "worker_crashed" };
    const events = await eventsOf(`${chunk("half")}data: ${JSON.stringify({ error })}\n\n${chunk("ghost")}`);
    expect(events).toEqual([
      { type: "text", text: "half" },
      { type: "problem", problem: { code: "worker_crashed", message: "The worker process died." } },
    ]);
  });

  it("does not pass half an answer off as a whole one", async () => {
    const events = await eventsOf(chunk("half"));
    expect(events.at(-1)).toMatchObject({ type: "problem", problem: { code: "stream_cut" } });
  });

  it("says so when what comes is not a chunk", async () => {
    expect(await eventsOf("data: <html>\n\n")).toMatchObject([{ type: "problem", problem: { code: "stream_cut" } }]);
  });

  it("ignores the usage chunk, which has no choices", async () => {
    expect(await eventsOf(`data: {"choices":[],"usage":{"total_tokens":3}}\n\n${done}`)).toEqual([{ type: "done" }]);
  });
});
