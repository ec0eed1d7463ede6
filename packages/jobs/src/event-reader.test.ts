import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hiveClient, RbeeError, type JobEvent } from "@rbee/contract";
import { afterEach, describe, expect, it } from "vitest";
import { readJobEvents } from "./event-reader.ts";
import { encodeEvent } from "./event-stream.ts";
import { followJobEvents } from "./follow.ts";
import { narrate } from "./narration.ts";
import { allOf, createBench, gate, messages, resultOf } from "./testing/bench.ts";
import { ManualClock, turn } from "./testing/manual-clock.ts";

const event = (seq: number): JobEvent => ({
  type: "narration",
  seq,
  ts: 0,
  job_id: "job:1",
  actor: "hive:nas",
  action: "saying",
  level: "info",
  message: `größe ${seq}`,
});
const result: JobEvent = { type: "result", seq: 3, ts: 0, job_id: "job:1", status: "succeeded" };
const done = "data: [DONE]\n\n";

/** A stream of these texts, byte by byte when `size` is 1. */
function streamOf(text: string, size = text.length): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.slice(i * size, (i + 1) * size),
  );
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}
const whole = [event(1), event(2), result].map(encodeEvent).join("") + done;

describe("reading a job's stream", () => {
  it.each([1, 7, 10_000])("gives the events however the bytes are cut (%d)", async (size) => {
    expect(await allOf(readJobEvents(streamOf(whole, size)))).toEqual([event(1), event(2), result]);
  });

  it("leaves out comments, kinds it does not know, and what is known already", async () => {
    const text = `: ping\n\nevent: weather\ndata: sunny\n\n${encodeEvent(event(1))}${whole}`;
    expect(await allOf(readJobEvents(streamOf(text), { afterSeq: 1 }))).toEqual([event(2), result]);
  });

  it.each([
    ["breaks off", encodeEvent(event(1)), "hive_unreachable"],
    ["says [DONE] without a result", encodeEvent(event(1)) + done, "hive_unreachable"],
    ["has a result but no [DONE]", whole.replace(done, ""), "hive_unreachable"],
    ["leaves an event out", encodeEvent(event(2)), "hive_invalid_response"],
    ["sends what is no event", "event: narration\ndata: {}\n\n", "hive_invalid_response"],
    ["sends what is no JSON", "event: result\ndata: <html>\n\n", "hive_invalid_response"],
  ])("a stream that %s is an error", async (_name, text, code) => {
    await expect(allOf(readJobEvents(streamOf(text)))).rejects.toMatchObject({ code });
  });

  it("a connection that falls silent is lost after 45 s, pings or not heard", async () => {
    const clock = new ManualClock();
    const reading = allOf(readJobEvents(new ReadableStream(), { clock, source: "nas" }));
    const outcome = expect(reading).rejects.toMatchObject({
      code: "hive_unreachable",
      message: expect.stringContaining("nas"),
    });
    await turn();
    await clock.advance(45_000);
    await outcome;
    expect(clock.pending).toBe(0);
  });

  it("leaving the loop, or the signal, cancels the stream", async () => {
    let cancelled = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(encodeEvent(event(1))));
        },
        cancel: () => {
          cancelled++;
        },
      });
    for await (const _ of readJobEvents(endless())) break;
    const abort = new AbortController();
    const reading = allOf(readJobEvents(endless(), { signal: abort.signal }));
    const outcome = expect(reading).rejects.toThrow("enough");
    await turn();
    abort.abort(new Error("enough"));
    await outcome;
    expect(cancelled).toBe(2);
  });
});

describe("over real HTTP", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener);
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("a job is followed through cut connections, every event once", async () => {
    const bench = createBench();
    const half = gate();
    const { job_id } = bench.start(async () => {
      for (let i = 0; i < 100; i++) narrate({ action: "saying", message: `number ${i}` });
      await half.opened;
      narrate({ action: "saying", message: "the end" });
    });
    const asked: number[] = [];
    const baseUrl = await serve((request, response) => {
      const afterSeq = Number(request.headers["last-event-id"] ?? 0);
      asked.push(afterSeq);
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (asked.length >= 3) half.open();
      void (async () => {
        for await (const chunk of bench.jobs.stream(job_id, { afterSeq })) {
          // Cut off once these bytes are on their way.
          if (asked.length < 3) response.write(chunk, () => response.destroy());
          else response.write(chunk);
          if (asked.length < 3) return;
        }
        response.end();
      })();
    });
    const clock = new ManualClock();
    const following = allOf(
      followJobEvents(
        async (afterSeq) => {
          try {
            return await fetch(baseUrl, { headers: { "last-event-id": String(afterSeq) } });
          } catch (cause) {
            throw new RbeeError("hive_unreachable", "nas is away.", { cause });
          }
        },
        { clock, source: "nas" },
      ),
    );
    let isOver = false;
    const over = () => (isOver = true);
    void following.then(over, over);
    while (!isOver) await clock.advance(100);
    expect(await following).toEqual(bench.events(job_id));
    expect(messages(await following).at(-1)).toBe("the end");
    expect(resultOf(await following).status).toBe("succeeded");
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(asked.at(-1)).toBeGreaterThan(0);
  });

  it("a host that stays away, and an answer that trying again cannot mend, are errors of their own", async () => {
    const clock = new ManualClock();
    let tries = 0;
    const client = hiveClient({ baseUrl: "http://127.0.0.1:1", name: "nas" });
    const away = allOf(
      followJobEvents(
        () => {
          tries++;
          return client.raw.health({});
        },
        { clock, attempts: 3 },
      ),
    );
    const outcome = expect(away).rejects.toMatchObject({ code: "hive_unreachable" });
    let isOver = false;
    void outcome.then(() => (isOver = true));
    while (!isOver) await clock.advance(500);
    await outcome;
    expect(tries).toBe(3);
    const odd = allOf(followJobEvents(() => Promise.resolve(new Response("event: result\ndata: 1\n\n")), { clock }));
    await expect(odd).rejects.toMatchObject({ code: "hive_invalid_response" });
  });
});
