import type { TaskEvent } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { readTask } from "./task-events.ts";

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
const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
const token = (t: string, i: number) => event("token", { t, i });
const result = event("result", { seq: 1, ts: 1, job_id: "job:1", status: "succeeded" });

async function collect(text: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const each of readTask(body(text))) events.push(each);
  return events;
}

describe("a task's events", () => {
  it("are put together from bytes that tear them and their characters apart", async () => {
    const events = await collect(`: ping\n\n${token("Grüße ", 0)}${token("🐝", 1)}${result}data: [DONE]\n\n`);
    expect(events.map((each) => (each.type === "token" ? each.t : each.type))).toEqual(["Grüße ", "🐝", "result"]);
  });

  it("that end without a result are a failure, not an answer", async () => {
    await expect(collect(token("half", 0))).rejects.toMatchObject({ code: "queen_unreachable" });
    await expect(collect(`${token("half", 0)}data: [DONE]\n\n`)).rejects.toThrow("broke off");
  });

  it("of another protocol are said to be so", async () => {
    await expect(collect(event("token", { text: "x" }))).rejects.toMatchObject({ code: "hive_invalid_response" });
  });
});
