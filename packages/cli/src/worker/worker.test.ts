import type { HouseholdWorker } from "@rbee/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { failure, result, serveJobs } from "../../test/jobs.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const hiveId = "hive:00000000-0000-4000-8000-000000000001";
const worker = (change: Partial<HouseholdWorker> = {}): HouseholdWorker => ({
  ...{ worker_id: "worker:a1b2c3", model: "bee-tiny", engine: "node-llama-cpp", backend: "cpu", device: "cpu" },
  ...{ state: "busy", pid: 7, cpu_pct: 90, rss_mb: 512, vram_mb: null, uptime_s: 61, load_progress: null },
  ...{
    slots_total: 4,
    slots_busy: 1,
    context_length: 4096,
    tokens_per_s: 41.26,
    idle_s: 0,
    stops_in_s: null,
    queued: 2,
    restarts: 0,
  },
  ...{ error: null, hive_id: hiveId, hive: "attic" },
  ...change,
});
const serveWorkers = (...workers: HouseholdWorker[]) => {
  queen.handlers.set("GET /v1/workers", json(200, { data: workers }));
};
const pathOf = (id: string) => `/v1/workers/${encodeURIComponent(id)}`;

beforeEach(() => {
  serveWorkers(worker(), worker({ worker_id: "worker:77aa00", model: "big", state: "failed", error: failure("oom") }));
});

describe("rbee worker list", () => {
  it("shows every worker with its hive and figures, and why one failed", async () => {
    const { exitCode, out } = await place.rbee(["worker", "list"]);
    expect(exitCode).toBe(0);
    const [head = "", first = "", , why] = out.split("\n");
    expect(head.split(/\s+/u)).toEqual(expect.arrayContaining(["WORKER", "HIVE", "QUEUE", "TOKENS/S", "MEMORY"]));
    expect(first.split(/ {2,}/u)).toEqual("worker:a1b2c3|bee-tiny|attic|cpu|busy|1/4|2|41.3|0.5 GB|1 min|–".split("|"));
    expect(why).toBe("worker:77aa00: It failed with oom.");
  });
});

describe("rbee worker spawn", () => {
  it("asks for exactly what the options say", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded", { data: { worker_id: "worker:new" } }));
    });
    const fleet = {
      ...{ ts: 1, queen: { version: "9", started_at: 0, household: "Home" }, models: [] },
      totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
      hives: [
        {
          ...{ hive_id: hiveId, name: "attic", enrolment: "local", address: null, health: "healthy", version: "9" },
          ...{ last_seen_at: 1, capabilities: null, node: null, workers: [], problem: null },
        },
      ],
    };
    queen.handlers.set("GET /v1/fleet", json(200, fleet));
    const asked = ["--hive", "Attic", "--backend", "cpu", "--device", "cpu", "--context", "512", "--slots", "2"];
    const { exitCode, out } = await place.rbee(["worker", "spawn", "bee-tiny", ...asked]);
    expect([exitCode, out]).toEqual([0, "worker:new\n"]);
    expect(jobs[0]?.request).toEqual({
      ...{ operation: "worker_spawn", model: "bee-tiny", hive_id: hiveId },
      ...{ backend: "cpu", device: "cpu", context_length: 512, slots: 2 },
    });
  });

  it("without a model, with two, with a backend or a number of slots that there cannot be is wrong usage", async () => {
    const wrong = [[], ["a", "--model", "b"], ["a", "--backend", "steam"], ["a", "--slots", "0"]];
    const ended = await Promise.all(wrong.map((args) => place.rbee(["worker", "spawn", ...args])));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2]);
  });
});

describe("rbee worker stop", () => {
  it("takes the beginning of an id", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded"));
    });
    expect((await place.rbee(["worker", "stop", "a1b2"])).exitCode).toBe(0);
    expect(jobs[0]?.request).toEqual({ operation: "worker_stop", hive_id: hiveId, worker_id: "worker:a1b2c3" });
  });

  it("by a model means the household's own worker, not a server that somebody else runs", async () => {
    const external = { kind: "ollama" as const, name: "Ollama", address: null, model: "bee-tiny" };
    serveWorkers(worker({ worker_id: "worker:ext-1", engine: "external", external }), worker());
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded"));
    });
    expect((await place.rbee(["worker", "stop", "bee-tiny"])).exitCode).toBe(0);
    expect(jobs[0]?.request).toMatchObject({ worker_id: "worker:a1b2c3" });
  });

  it("that could mean several says which, and stops none", async () => {
    serveWorkers(worker(), worker({ worker_id: "worker:b" }));
    const { exitCode, error } = await place.rbee(["worker", "stop", "bee-tiny"]);
    expect(exitCode).toBe(2);
    expect(error).toContain("worker:a1b2c3, worker:b");
  });
});

describe("rbee worker health", () => {
  const check = (change: object) => {
    const { hive_id, hive, ...told } = worker();
    const asWorker = { ...told, context_length: 512, started_at: 1, ready_at: 2 };
    const answer = { worker: asWorker, answered_in_ms: 3, problem: null, hive_id, hive, ...change };
    queen.handlers.set(`GET ${pathOf("worker:a1b2c3")}/health`, json(200, answer));
  };

  it("is 0 when the worker answers and 1 when it does not", async () => {
    check({});
    const well = await place.rbee(["worker", "health", "bee-tiny"]);
    expect(well.exitCode).toBe(0);
    expect(well.out).toContain("answers in 3 ms");
    const problem = "Its process (7) does not answer within 3 s.";
    check({ answered_in_ms: null, problem });
    const ill = await place.rbee(["worker", "health", "bee-tiny"]);
    expect(ill.exitCode).toBe(1);
    expect(ill.out).toContain(problem);
    const { exitCode, out } = await place.rbee(["worker", "health", "bee-tiny", "--json"]);
    expect([exitCode, (JSON.parse(out) as { problem: string }).problem]).toEqual([1, problem]);
  });

  it("of a worker that there is not is wrong usage", async () => {
    expect((await place.rbee(["worker", "health", "nobody"])).exitCode).toBe(2);
  });
});

describe("rbee worker logs", () => {
  it("follows until Ctrl-C, exit code 130", async () => {
    const path = `GET ${pathOf("worker:a1b2c3")}/logs?lines=5&follow=true`;
    queen.handlers.set(path, (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" }).write("loading\nready\n");
    });
    const running = place.start(["worker", "logs", "bee-tiny", "--lines", "5", "--follow"]);
    await running.shows("ready");
    running.child.kill("SIGINT");
    expect(await running.ended).toMatchObject({ exitCode: 130, out: "loading\nready\n" });
  });

  it("of a worker that has ended is found by its whole id; one that nobody knows is exit code 1", async () => {
    queen.handlers.set(`GET ${pathOf("worker:gone")}/logs?lines=200`, (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" }).end("its last words\n");
    });
    expect(await place.rbee(["worker", "logs", "worker:gone"])).toMatchObject({ exitCode: 0, out: "its last words\n" });
    const error = failure("worker_not_found");
    queen.handlers.set(`GET ${pathOf("worker:never")}/logs?lines=200`, json(404, { error }));
    expect((await place.rbee(["worker", "logs", "worker:never"])).exitCode).toBe(1);
    expect((await place.rbee(["worker", "logs", "nobody"])).exitCode).toBe(2);
  });
});
