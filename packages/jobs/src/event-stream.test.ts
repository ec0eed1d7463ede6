import { describe, expect, it } from "vitest";
import { lastEventId } from "./event-stream.ts";
import { narrate } from "./narration.ts";
import { createJobs } from "./runner.ts";
import { createBench, gate, textOf } from "./testing/bench.ts";
import { turn } from "./testing/manual-clock.ts";

const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

describe("a job's stream", () => {
  it("writes each event with its number, kind and fields, in one line of data", async () => {
    const bench = createBench();
    const { job_id, finished } = bench.start(() => {
      narrate({ action: "saying", message: "two\nlines", data: { n: 1 } });
    });
    await finished;
    const ts = bench.clock.now();
    const text = await textOf(bench.jobs.stream(job_id, { afterSeq: 1 }));
    const fields = { seq: 2, ts, job_id, actor: "queen", action: "saying", level: "info", message: "two\nlines" };
    const [first, second, last, ...rest] = text.split("\n\n");
    const [id, event, data] = first?.split("\n") ?? [];
    expect([id, event]).toEqual(["id: 2", "event: narration"]);
    expect(JSON.parse(data?.replace("data: ", "") ?? "")).toEqual({ ...fields, data: { n: 1 } });
    expect(second).toContain("id: 3\nevent: result\ndata: ");
    expect([last, ...rest]).toEqual(["data: [DONE]", ""]);
  });

  it("pings after every 15 s of silence, and not while there is something to say", async () => {
    const bench = createBench();
    const { job_id } = bench.start(() => new Promise(() => {}));
    await turn();
    const reader = bench.jobs.stream(job_id).getReader();
    expect(decode((await reader.read()).value)).toContain("timeout_start");
    const next = reader.read();
    await turn();
    await bench.clock.advance(14_999);
    await bench.clock.advance(1);
    expect(decode((await next).value)).toBe(": ping\n\n");
    await reader.cancel();
    bench.jobs.cancel(job_id);
    await bench.clock.advance(5_000);
    expect(bench.clock.pending).toBe(0);
  });

  it("reads from the log only what is asked for, a page at a time", async () => {
    const bench = createBench();
    const limits: number[] = [];
    const jobs = createJobs({
      ...bench,
      actor: "queen",
      log: {
        ...bench.log,
        read(jobId, afterSeq, limit) {
          const page = bench.log.read(jobId, afterSeq, limit);
          limits.push(page.length);
          return page;
        },
      },
    });
    const { job_id, finished } = jobs.run(
      { operation: "self_check", subject: "", input: {}, startedBy: null, timeoutMs: 1_000 },
      () => {
        for (let i = 0; i < 1_000; i++) narrate({ action: "saying", message: String(i) });
      },
    );
    const stream = jobs.stream(job_id);
    await finished;
    await turn();
    expect(limits).toEqual([]);
    const reader = stream.getReader();
    await reader.read();
    await turn();
    expect(limits).toEqual([64]);
    await reader.cancel();
  });

  it("a subscriber that goes leaves nothing behind, and the job goes on", async () => {
    const bench = createBench();
    const stop = gate();
    const { job_id, finished } = bench.start(() => stop.opened);
    await turn();
    const abort = new AbortController();
    const text = textOf(bench.jobs.stream(job_id, { signal: abort.signal }));
    const before = bench.clock.pending;
    await turn();
    expect(bench.clock.pending).toBe(before + 1);
    abort.abort();
    expect(await text).not.toContain("[DONE]");
    expect(bench.clock.pending).toBe(before);
    stop.open();
    expect((await finished).state).toBe("succeeded");
  });

  it("a Last-Event-ID that the log has not reached hides nothing", async () => {
    const bench = createBench();
    const stop = gate();
    const { job_id } = bench.start(() => stop.opened);
    await turn();
    const text = textOf(bench.jobs.stream(job_id, { afterSeq: 999 }));
    stop.open();
    expect(await text).toContain("event: result");
  });

  it("breaks off, instead of saying [DONE], when the log lost the result", async () => {
    const bench = createBench();
    const { job_id, finished } = bench.start(() => {});
    await finished;
    bench.log.forget(job_id);
    await expect(textOf(bench.jobs.stream(job_id))).rejects.toThrow("ends without a result");
  });

  it("of a job that nobody knows is job_not_found, like everything else about it", () => {
    const { jobs } = createBench();
    const unknown = expect.objectContaining({ code: "job_not_found" });
    expect(() => jobs.stream("job:none")).toThrow(unknown);
    expect(() => jobs.get("job:none")).toThrow(unknown);
    expect(() => {
      jobs.cancel("job:none");
    }).toThrow(unknown);
  });

  it.each([
    ["7", 7],
    ["", 0],
    ["-3", 0],
    ["1.5", 0],
    ["x", 0],
  ])("Last-Event-ID %j means number %d", (value, number) => {
    expect(lastEventId(new Request("http://queen", { headers: { "last-event-id": value } }))).toBe(number);
  });
});
