import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { narrateOutsideJobsTo } from "./background.ts";
import { bindToJob, currentSignal, secrets, spawnChild } from "./context.ts";
import { readJobEvents } from "./event-reader.ts";
import { failInterrupted } from "./interrupted.ts";
import { narrate, progress } from "./narration.ts";
import { inParallel } from "./parallel.ts";
import { createJobs } from "./runner.ts";
import { cleanUp, step } from "./step.ts";
import { allOf, createBench, gate, messages, narrations, RecordedLog, resultOf, textOf } from "./testing/bench.ts";
import { turn } from "./testing/manual-clock.ts";

const say = (message: string) => {
  narrate({ action: "saying", message });
};
const limit = { timeoutMs: 10_000 };

describe("guarantee 1: nothing after [DONE], nothing lost before it", () => {
  it("the result waits for children that nobody awaited, and for what they start", async () => {
    const bench = createBench();
    const late = gate();
    const { job_id, finished } = bench.start(() => {
      void step("outer", limit, () => {
        void spawnChild(async () => {
          await late.opened;
          say("the child's last word");
          void step("grandchild", limit, () => {
            say("the grandchild's last word");
          });
        });
      });
    });
    await turn();
    expect(bench.jobs.get(job_id).state).toBe("running");
    late.open();
    await finished;
    const events = bench.events(job_id);
    expect(messages(events)).toEqual(
      expect.arrayContaining(["the child's last word", "the grandchild's last word", "grandchild: done in 0 ms."]),
    );
    expect(resultOf(events).status).toBe("succeeded");
  });

  it("every event is in the log before the result is, and [DONE] is the last thing on the stream", async () => {
    const bench = createBench();
    const { job_id } = bench.start(async () => {
      for (let done = 0; done < 200; done++) progress({ phase: "copying", done, total: 1_000, unit: "items" });
      say("one");
      await turn();
      say("two");
      progress({ phase: "copying", done: 999, total: 1_000, unit: "items" });
    });
    const text = await textOf(bench.jobs.stream(job_id));
    const kinds = [...text.matchAll(/^event: (\w+)$/gmu)].map(([, kind]) => kind);
    expect(kinds).toEqual(["narration", "progress", "progress", "narration", "narration", "progress", "result"]);
    expect(text).toContain('"done":199');
    expect(text).toContain('"done":999');
    expect(text.match(/data: \[DONE\]\n\n/gu)).toHaveLength(1);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("what a leaked task says after the end goes to the process's log with a warning, never to the stream", async () => {
    const bench = createBench();
    const late = gate();
    const { job_id, finished } = bench.start(() => {
      void late.opened.then(() => {
        say("too late");
        progress({ phase: "late", done: 1, total: 2, unit: "items" });
      });
    });
    await finished;
    const before = bench.events(job_id);
    late.open();
    await turn();
    expect(bench.events(job_id)).toEqual(before);
    expect(bench.processLog.lines).toContainEqual(
      expect.objectContaining({ level: "warn", message: "too late", fields: expect.objectContaining({ job_id }) }),
    );
  });

  it("a job whose events could not all be kept has not succeeded", async () => {
    const bench = createBench();
    let isFull = true;
    const jobs = createJobs({
      ...bench,
      actor: "queen",
      log: {
        ...bench.log,
        append(jobId, event) {
          if (isFull && event.type === "narration" && event.action === "saying") throw new Error("disk is full");
          bench.log.append(jobId, event);
        },
      },
    });
    const { job_id, finished } = jobs.run(
      { operation: "self_check", subject: "", input: {}, startedBy: null, timeoutMs: 1_000 },
      () => {
        say("lost");
        isFull = false;
      },
    );
    await finished;
    expect(resultOf(bench.events(job_id))).toMatchObject({
      status: "failed",
      error: { message: "The job's log could not be written: disk is full" },
    });
  });
});

describe("guarantee 2: no false success", () => {
  it("fails when one of several fails, names every outcome, and the others run to their end", async () => {
    const bench = createBench();
    const slow = gate();
    const { job_id, finished } = bench.start(() =>
      inParallel(["gaming-pc", "nas", "mac"], async (name) => {
        if (name === "nas") throw new RbeeError("ssh_auth_failed", "nas refused the key.");
        await slow.opened;
        say(`${name} is ready`);
        return { did: "installed" };
      }),
    );
    await turn();
    expect(bench.jobs.get(job_id).state).toBe("running");
    slow.open();
    await finished;
    const events = bench.events(job_id);
    expect(messages(events)).toEqual(["nas: nas refused the key.", "gaming-pc is ready", "mac is ready"]);
    expect(resultOf(events)).toMatchObject({
      status: "failed",
      error: { code: "ssh_auth_failed", message: expect.stringContaining("1 of 3 failed. nas: nas refused") },
      data: {
        outcomes: [
          { item: "gaming-pc", status: "succeeded", data: { did: "installed" } },
          { item: "nas", status: "failed", error: { code: "ssh_auth_failed" } },
          { item: "mac", status: "succeeded", data: { did: "installed" } },
        ],
      },
    });
  });

  it("fails with the error of a child that nobody awaited", async () => {
    const bench = createBench();
    const { result } = await bench.perform(() => {
      void spawnChild(async () => {
        await turn();
        throw new RbeeError("download_stalled", "No byte for 60 s.");
      });
      return { all: "well" };
    });
    expect(result).toMatchObject({ status: "failed", error: { code: "download_stalled" } });
    expect(result.data).toBeUndefined();
  });

  it("fails with the error of a chain behind a child that nobody awaited", async () => {
    const bench = createBench();
    const { result } = await bench.perform(() => {
      void step("first", limit, () => 1).then(() => {
        throw new RbeeError("worker_crashed", "It died.");
      });
    });
    expect(result).toMatchObject({ status: "failed", error: { code: "worker_crashed" } });
  });

  it("succeeds when an error was awaited and dealt with", async () => {
    const bench = createBench();
    const { result } = await bench.perform(async () => {
      await step("try", limit, () => Promise.reject(new Error("no"))).catch(() => {});
      const [first] = await Promise.allSettled([inParallel([1], () => Promise.reject(new Error("no")))]);
      return { first: first.status };
    });
    expect(result).toMatchObject({ status: "succeeded", data: { first: "rejected" } });
  });
});

describe("guarantee 3: the real error reaches the user", () => {
  it("keeps code, message, details and suggestion, and names the innermost step and its host", async () => {
    const bench = createBench();
    const { result, job } = await bench.perform(() =>
      step("install", { ...limit, actor: "hive:nas" }, () =>
        step("chmod", limit, () => {
          throw new RbeeError("ssh_command_failed", "nas: chmod ended with 1: Read-only file system", {
            details: { exit_code: 1, stderr: "chmod: Read-only file system" },
            suggestion: "Make the disk writable.",
          });
        }),
      ),
    );
    expect(result).toMatchObject({
      status: "failed",
      error: {
        code: "ssh_command_failed",
        message: "install › chmod on hive:nas: nas: chmod ended with 1: Read-only file system",
        details: { step: "chmod", step_path: ["install", "chmod"], actor: "hive:nas", exit_code: 1 },
        suggestion: "Make the disk writable.",
      },
    });
    expect(job.error).toEqual(result.error);
  });

  const cases: [string, () => unknown, object][] = [
    [
      "an error thrown synchronously",
      () => {
        throw new TypeError("x is not a function\n    at secret (/srv/app.ts:1:1)");
      },
      { code: "internal_error", message: "x is not a function" },
    ],
    ["a rejection", () => Promise.reject(new Error("ENOSPC: no space left")), { message: "ENOSPC: no space left" }],
    ["a text that was thrown", () => Promise.reject("just words"), { message: "just words" }],
    ["nothing that was thrown", () => Promise.reject(undefined), { message: expect.stringContaining("undefined") }],
    ["an error without words", () => Promise.reject(new Error("")), { message: "An unnamed Error." }],
    [
      "several errors in one",
      () => Promise.reject(new AggregateError([new Error("first"), new Error("second")], "both failed")),
      { message: "both failed", details: { errors: ["first", "second"] } },
    ],
  ];
  it.each(cases)("fails with %s", async (_name, operation, error) => {
    const { result } = await createBench().perform(operation);
    expect(result).toMatchObject({ status: "failed", error });
    expect(JSON.stringify(result)).not.toContain("app.ts");
  });
});

describe("guarantee 4: a late or reconnecting subscriber gets the whole log; jobs outlive the process", () => {
  it("one that comes late, and one that resumes, see what one from the start saw", async () => {
    const bench = createBench();
    const half = gate();
    const { job_id, finished } = bench.start(async () => {
      for (let i = 0; i < 100; i++) say(`number ${i}`);
      await half.opened;
      for (let i = 100; i < 200; i++) say(`number ${i}`);
    });
    const early = textOf(bench.jobs.stream(job_id));
    await turn();
    const during = textOf(bench.jobs.stream(job_id, { afterSeq: 50 }));
    half.open();
    await finished;
    const whole = await early;
    expect(await textOf(bench.jobs.stream(job_id))).toBe(whole);
    expect(whole.slice(whole.indexOf("id: 51\n"))).toBe(await during);
    expect(whole.match(/^id: /gmu)).toHaveLength(202);
  });

  it("a subscriber that has the result already gets [DONE]", async () => {
    const bench = createBench();
    const { job, events } = await bench.perform(() => {
      say("all");
    });
    expect(await textOf(bench.jobs.stream(job.job_id, { afterSeq: events.length }))).toBe("data: [DONE]\n\n");
  });

  it("a job that was running when the queen died is failed with that reason, on its stream too", async () => {
    const bench = createBench();
    const { job_id } = bench.start(async () => {
      say("before the power went");
      await new Promise(() => {});
    });
    await turn();
    // The same storage, as a queen that starts again finds it.
    failInterrupted(bench.store, bench.log, { clock: bench.clock });
    const { store, log, clock, processLog } = bench;
    const reborn = createJobs({ store, log, clock, processLog, actor: "queen" });
    expect(reborn.get(job_id)).toMatchObject({
      state: "failed",
      error: { message: "The queen stopped while this job was running." },
    });
    const body = reborn.stream(job_id);
    const events = await allOf(readJobEvents(body));
    expect(messages(events)).toEqual(["before the power went"]);
    expect(resultOf(events).status).toBe("failed");
    expect(failInterrupted(bench.store, bench.log)).toEqual([]);
  });
});

describe("guarantee 5: the job is carried by an async context", () => {
  it("narration of two jobs at once never mixes, however deep it comes from", async () => {
    const bench = createBench();
    const operation = (name: string) => async () => {
      for (let i = 0; i < 20; i++) {
        await turn();
        await Promise.all([Promise.resolve().then(() => (say(name), undefined))]);
      }
    };
    const [one, two] = [bench.start(operation("one")), bench.start(operation("two"))];
    await Promise.all([one.finished, two.finished]);
    expect(new Set(messages(bench.events(one.job_id)))).toEqual(new Set(["one"]));
    expect(messages(bench.events(two.job_id))).toEqual(Array.from({ length: 20 }, () => "two"));
  });

  it("outside a job, narration goes to the log only, though jobs are running", async () => {
    const bench = createBench();
    const log = new RecordedLog();
    const restore = narrateOutsideJobsTo(log);
    const stop = gate();
    const { job_id, finished } = bench.start(() => stop.opened);
    await turn();
    say("to nobody");
    await step("outside", limit, () => {
      say("inside a step outside");
    });
    expect(currentSignal().aborted).toBe(false);
    stop.open();
    await finished;
    restore();
    expect(messages(bench.events(job_id))).toEqual([]);
    expect(log.lines.map(({ message }) => message)).toContain("to nobody");
    expect(log.lines.map(({ message }) => message)).toContain("inside a step outside");
  });

  it("what a job says while another one cancels it is its own", async () => {
    const bench = createBench();
    const victim = bench.start(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            say("my last words");
            reject(signal.reason as Error);
          });
        }),
    );
    await turn();
    const other = await bench.perform(() => {
      bench.jobs.cancel(victim.job_id);
    });
    await victim.finished;
    expect(messages(other.events)).toEqual([]);
    expect(messages(bench.events(victim.job_id))).toContain("my last words");
  });

  it("a callback of something older than the job can be tied to it", async () => {
    const bench = createBench();
    const connection = new EventTarget();
    const { events } = await bench.perform(async () => {
      connection.addEventListener(
        "data",
        bindToJob(() => {
          say("heard");
        }),
      );
      await turn();
      connection.dispatchEvent(new Event("data"));
    });
    expect(messages(events)).toEqual(["heard"]);
  });
});

describe("guarantee 6: every job and step has a time limit with its own narration", () => {
  it("a job that is out of time tells of it, aborts its signal, and ends as timed_out", async () => {
    const bench = createBench();
    let reason: unknown;
    const { job_id, finished } = bench.start(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            say("stopping the remote process");
            reject(new Error("killed"));
          });
        }),
      { timeoutMs: 300_000 },
    );
    await turn();
    await bench.clock.advance(299_999);
    expect(bench.jobs.get(job_id).state).toBe("running");
    await bench.clock.advance(1);
    await finished;
    expect(reason).toMatchObject({ code: "request_timeout" });
    const actions = narrations(bench.events(job_id)).map(({ action }) => action);
    expect(actions).toEqual(["timeout_start", "timed_out", "saying", "while_stopping"]);
    expect(resultOf(bench.events(job_id))).toMatchObject({
      status: "timed_out",
      error: { message: "The time limit of 5 min is over.", details: { timeout_ms: 300_000 } },
    });
    expect(bench.clock.pending).toBe(0);
  });

  it("a step that is out of time ends the job as timed_out and is named, even if it then finishes", async () => {
    const bench = createBench();
    const { job_id, finished } = bench.start(() =>
      step("copying", { timeoutMs: 1_000 }, async (signal) => {
        await new Promise((resolve) => {
          signal.addEventListener("abort", resolve);
        });
        return "done after all";
      }),
    );
    await turn();
    await bench.clock.advance(1_000);
    await finished;
    const narrated = narrations(bench.events(job_id));
    expect(narrated.map(({ action }) => action)).toEqual([
      "timeout_start",
      "copying",
      "timeout_start",
      "timed_out",
      "copying",
    ]);
    expect(resultOf(bench.events(job_id))).toMatchObject({
      status: "timed_out",
      error: { code: "request_timeout", message: "copying: The time limit of 1 s is over." },
    });
  });

  it("an operation that ignores its signal is waited for no longer than the grace time, and heard no more", async () => {
    const bench = createBench();
    const deaf = gate();
    const { job_id, finished } = bench.start(
      () =>
        step("building", { timeoutMs: 600_000 }, async () => {
          await deaf.opened;
          say("still here");
        }),
      { timeoutMs: 1_000 },
    );
    await turn();
    await bench.clock.advance(1_000);
    await bench.clock.advance(4_999);
    expect(bench.jobs.get(job_id).state).toBe("running");
    await bench.clock.advance(1);
    await finished;
    deaf.open();
    await turn();
    const events = bench.events(job_id);
    expect(messages(events).at(-1)).toContain("The operation (building) did not stop within 5 s.");
    expect(resultOf(events)).toMatchObject({ status: "timed_out", error: { details: { step: "building" } } });
    expect(bench.processLog.lines.map(({ message }) => message)).toContain("still here");
  });

  it("a step that ignores its signal is given up alone; the job goes on without its noise", async () => {
    const bench = createBench();
    const deaf = gate();
    const { job_id, finished } = bench.start(async () => {
      await step("first way", { timeoutMs: 1_000 }, () =>
        step("inner", { timeoutMs: 50_000 }, async () => {
          await deaf.opened;
          say("from beyond");
        }),
      ).catch(() => {});
      say("another way");
      deaf.open();
      await turn();
      return { way: 2 };
    });
    await turn();
    await bench.clock.advance(6_000);
    await finished;
    expect(messages(bench.events(job_id))).not.toContain("from beyond");
    expect(messages(bench.events(job_id))).toContain("first way did not stop within 5 s. rbee waits no longer.");
    expect(resultOf(bench.events(job_id))).toMatchObject({ status: "succeeded", data: { way: 2 } });
  });

  it("cancelling aborts the signal with request_cancelled; doing it again changes nothing", async () => {
    const bench = createBench();
    let reason: unknown;
    const { job_id, finished } = bench.start((signal) =>
      step("copying", limit, async (own) => {
        await new Promise<void>((resolve) => {
          own.addEventListener("abort", () => {
            resolve();
          });
        });
        reason = signal.reason;
        own.throwIfAborted();
      }),
    );
    await turn();
    bench.jobs.cancel(job_id, "Cancelled by vince.");
    bench.jobs.cancel(job_id);
    await finished;
    bench.jobs.cancel(job_id);
    expect(reason).toBeInstanceOf(RbeeError);
    expect(reason).toMatchObject({ code: "request_cancelled" });
    const events = bench.events(job_id);
    expect(narrations(events).filter(({ action }) => action === "cancelling")).toHaveLength(1);
    expect(resultOf(events)).toMatchObject({
      status: "cancelled",
      error: { code: "request_cancelled", message: "copying: Cancelled by vince.", details: { step: "copying" } },
    });
  });

  it("a job that is being stopped starts no further step, but may put things in order first", async () => {
    const bench = createBench();
    const removed = gate();
    const { job_id, finished } = bench.start(async (signal) => {
      await new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      });
      await cleanUp("remove", { timeoutMs: 30_000 }, async (own) => {
        await removed.opened;
        say(`removed ${own.aborted}`);
      });
      await step("next", limit, () => {
        say("never");
      });
    });
    await turn();
    bench.jobs.cancel(job_id);
    await turn();
    await bench.clock.advance(20_000);
    expect(bench.jobs.get(job_id).state).toBe("running");
    removed.open();
    await finished;
    expect(messages(bench.events(job_id))).toContain("removed false");
    expect(messages(bench.events(job_id))).not.toContain("never");
    expect(resultOf(bench.events(job_id)).status).toBe("cancelled");
  });

  it("a process that stops ends its jobs and starts no more", async () => {
    const bench = createBench();
    const { finished } = bench.start(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reject(signal.reason as Error);
          });
        }),
    );
    await turn();
    await bench.jobs.stop("The queen is stopping.");
    expect((await finished).error?.message).toBe("The queen is stopping.");
    expect(() => bench.start(() => {})).toThrow(expect.objectContaining({ code: "overloaded" }));
  });
});

describe("guarantee 7: secrets never appear in narration, logs or errors", () => {
  const password = "hunter2'with quote";
  const hiveToken = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE";
  const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${"b3BlbnNzaC1rZXk".repeat(4)}\n-----END OPENSSH PRIVATE KEY-----`;
  const leaks = [password, "hunter2", hiveToken, "b3BlbnNzaC1rZXk", "s3cr3t"];

  it("neither in messages, data, errors and results, nor in what the process logs", async () => {
    const bench = createBench();
    const late = gate();
    const { job_id, finished } = bench.start(
      async () => {
        secrets.register("s3cr3t-from-the-vault");
        narrate({
          action: "connecting",
          message: `sshpass -p ${password} curl -H "Authorization: Bearer ${hiveToken}" token=${hiveToken}`,
          data: {
            deep: [{ hive_token: hiveToken, note: `the key is ${key}`, [password]: 1 }],
            vault: "s3cr3t-from-the-vault",
          },
        });
        void late.opened.then(() => {
          say(`late ${password}`);
        });
        await inParallel(["nas"], () =>
          step("connect", limit, () => {
            throw new Error(`login with ${encodeURIComponent(password)} failed\nat x`, { cause: key });
          }),
        );
      },
      { input: { target: "nas", password }, subject: `nas ${password}`, secrets: [password] },
    );
    const streamed = await textOf(bench.jobs.stream(job_id));
    await finished;
    late.open();
    await turn();
    const seen = [streamed, JSON.stringify(bench.jobs.get(job_id)), bench.processLog.text].join("\n");
    for (const leak of leaks) expect(seen).not.toContain(leak);
    expect(seen).not.toContain(encodeURIComponent(password));
    expect(bench.processLog.text).toContain("late [redacted]");
    expect(bench.jobs.get(job_id).input).toEqual({ target: "nas", password: "[redacted]" });
  });
});
