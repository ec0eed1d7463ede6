import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { FleetModel, FleetSnapshot } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../scripts/prepare.js";
import { placeWith, type Place } from "../test/executable.ts";
import { json, startSmallQueen, type SmallQueen } from "../test/queen.ts";

let queen: SmallQueen;
let place: Place;
const start: Place["start"] = (args, options) => place.start(args, options);
const rbee: Place["rbee"] = (args, options) => place.rbee(args, options);

beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const model: FleetModel = {
  id: "bee-tiny",
  name: "bee-tiny",
  state: "loaded",
  load_progress: null,
  hives: [],
  size_bytes: 3_400_000,
  parameters: 3e6,
  quantization: "Q8_0",
  context_length: 512,
  has_chat_template: true,
  aliases: [],
  pinned: false,
};
const fleet: FleetSnapshot = {
  ts: 1,
  queen: { version: "9.9.9", started_at: 0, household: "Home" },
  hives: [],
  models: [model],
  totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
};

describe("rbee", () => {
  it("without a queen says how to get one, exit code 1", async () => {
    const { exitCode, out, error } = await rbee(["status"], { home: place.nowhere });
    expect([exitCode, out]).toEqual([1, ""]);
    expect(error).toContain("No queen runs on this machine");
    expect(error).toContain("npm start");
  });

  it("wrong usage is exit code 2, on stderr", async () => {
    const answers = await Promise.all([rbee(["key", "create"]), rbee(["nonsense"]), rbee(["infer", "--seed", "x"])]);
    expect(answers.map(({ exitCode, out }) => [exitCode, out])).toEqual([
      [2, ""],
      [2, ""],
      [2, ""],
    ]);
    expect(answers[0]?.error).toContain("--name");
  });

  it("finds the queen of this machine and her administrator's token by itself", async () => {
    let authorization: string | undefined;
    queen.handlers.set("GET /health", json(200, { status: "alive", version: "9.9.9", ready: true }));
    queen.handlers.set("GET /v1/fleet", (request, response, body) => {
      authorization = request.headers.authorization;
      json(200, fleet)(request, response, body);
    });
    const { exitCode, out } = await rbee(["status", "--json"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ queen: { url: queen.url, ready: true }, models: [{ id: "bee-tiny" }] });
    expect(authorization).toBe("Bearer local-secret");
  });

  it("shows the error that the queen answers with, and its suggestion", async () => {
    queen.handlers.set(
      "GET /v1/users",
      json(403, {
        error: {
          message: "Only administrators may do this.",
          type: "permission_error",
          param: null,
          code: "forbidden",
          suggestion: "Ask one.",
        },
      }),
    );
    const { exitCode, error } = await rbee(["user", "list"]);
    expect(exitCode).toBe(1);
    expect(error).toBe("error    Only administrators may do this.\n         Ask one.\n");
  });

  it("a new key alone is on stdout", async () => {
    const created = {
      ...{ id: "k1", name: "laptop", prefix: "rbee_ab", owner: "Ada", created_at: 1, expires_at: null },
      ...{ last_used_at: null, key: "rbee_abcdef" },
    };
    queen.handlers.set("POST /v1/keys", json(201, created));
    const { exitCode, out } = await rbee(["key", "create", "--name", "laptop"]);
    expect([exitCode, out]).toEqual([0, "rbee_abcdef\n"]);
  });

  it("a key is made for the lane it is asked for, and for no other", async () => {
    let asked = "";
    const created = {
      ...{ id: "k1", name: "nightly", prefix: "rbee_ab", owner: "Ada", created_at: 1, expires_at: null },
      ...{ last_used_at: null, key: "rbee_abcdef", lane: "batch" },
    };
    queen.handlers.set("POST /v1/keys", (request, response, body) => {
      asked = body;
      json(201, created)(request, response, body);
    });
    expect((await rbee(["key", "create", "--name", "nightly", "--lane", "batch"])).exitCode).toBe(0);
    expect(JSON.parse(asked)).toEqual({ name: "nightly", lane: "batch" });
    expect((await rbee(["key", "create", "--name", "nightly", "--lane", "slow"])).exitCode).toBe(2);
  });
});

describe("rbee config household-name", () => {
  it("gives the household another name, or prints the one it has; other settings are not set this way", async () => {
    let asked = "";
    queen.handlers.set("PATCH /v1/household", (request, response, body) => {
      asked = body;
      json(200, { name: "The Beehive" })(request, response, body);
    });
    const renamed = await rbee(["config", "household-name", "The Beehive"]);
    expect(renamed).toMatchObject({ exitCode: 0, out: "" });
    expect(JSON.parse(asked)).toEqual({ name: "The Beehive" });
    queen.handlers.set("GET /v1/fleet", json(200, fleet));
    expect(await rbee(["config", "household-name"])).toMatchObject({ exitCode: 0, out: "Home\n" });
    const other = await rbee(["config", "RBEE_PORT", "7000"]);
    expect(other.exitCode).toBe(2);
    expect(other.error).toContain("environment");
  });
});

describe("rbee config", () => {
  it("prints every setting and masks secrets, also when no queen runs", async () => {
    const { exitCode, out } = await rbee(["config", "--json"], { home: place.nowhere });
    const { settings } = JSON.parse(out) as { settings: { name: string; value: string | null; source: string }[] };
    expect(exitCode).toBe(0);
    expect(settings.find(({ name }) => name === "RBEE_HOME")).toMatchObject({
      value: place.nowhere,
      source: "environment",
    });
    expect(settings.find(({ name }) => name === "RBEE_WORKER_SLOTS")).toMatchObject({ value: "4", source: "default" });
  });
});

describe("rbee worker spawn", () => {
  const id = "job:1";
  const event = (seq: number, value: { type: string } & Record<string, unknown>) => {
    const { type, ...rest } = value;
    return `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ seq, ts: 1, job_id: id, actor: "queen", ...rest })}\n\n`;
  };
  const told = event(1, { type: "narration", action: "chosen", level: "info", message: "bee-tiny goes to attic." });
  const failure = {
    message: "load: no memory",
    type: "x",
    param: null,
    code: "insufficient_ram",
    suggestion: "Stop one.",
  };
  const streamOf = (text: string) => {
    queen.handlers.set("POST /v1/jobs", json(202, { job_id: id, stream_url: `/v1/jobs/${id}/stream` }));
    queen.handlers.set("GET /v1/jobs/job%3A1/stream", (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).end(text);
    });
  };

  it("tells on stderr how the job goes; the worker alone is on stdout", async () => {
    streamOf(
      `${told}${event(2, { type: "result", status: "succeeded", data: { worker_id: "worker:a" } })}data: [DONE]\n\n`,
    );
    const { exitCode, out, error } = await rbee(["worker", "spawn", "--model", "bee-tiny"]);
    expect([exitCode, out]).toEqual([0, "worker:a\n"]);
    expect(error).toBe("queen    bee-tiny goes to attic.\n");
  });

  it("fails with the job's own error, exit code 1", async () => {
    streamOf(`${told}${event(2, { type: "result", status: "failed", error: failure })}data: [DONE]\n\n`);
    const { exitCode, error } = await rbee(["worker", "spawn", "--model", "bee-tiny"]);
    expect(exitCode).toBe(1);
    expect(error).toContain("load: no memory");
    expect(error).toContain("Stop one.");
  });

  it("with --json prints each event as a line, and still fails when the job did", async () => {
    streamOf(`${told}${event(2, { type: "result", status: "failed", error: failure })}data: [DONE]\n\n`);
    const { exitCode, out, error } = await rbee(["worker", "spawn", "--model", "bee-tiny", "--json"]);
    expect([exitCode, error]).toEqual([1, ""]);
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(["narration", "result"]);
  });

  it("goes on after a cut connection without telling anything twice", async () => {
    streamOf("");
    let connections = 0;
    queen.handlers.set("GET /v1/jobs/job%3A1/stream", (request, response) => {
      connections += 1;
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (connections === 1) {
        response.write(told);
        setTimeout(() => response.destroy(), 50);
        return;
      }
      expect(request.headers["last-event-id"]).toBe("1");
      response.end(
        `${event(2, { type: "result", status: "succeeded", data: { worker_id: "worker:a" } })}data: [DONE]\n\n`,
      );
    });
    const { exitCode, out, error } = await rbee(["worker", "spawn", "--model", "bee-tiny"]);
    expect([exitCode, out, connections]).toEqual([0, "worker:a\n", 2]);
    expect(error.match(/goes to attic/gu)).toHaveLength(1);
  });

  it("Ctrl-C cancels the job on the queen, waits for its end, and is exit code 130", async () => {
    streamOf("");
    let finish = () => {};
    queen.handlers.set("GET /v1/jobs/job%3A1/stream", (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(told);
      finish = () => {
        const error = { message: "Ann cancelled the job.", type: "x", param: null, code: "request_cancelled" };
        response.end(`${event(2, { type: "result", status: "cancelled", error })}data: [DONE]\n\n`);
      };
    });
    let cancelled = 0;
    queen.handlers.set("DELETE /v1/jobs/job%3A1", (_request, response) => {
      cancelled += 1;
      response.writeHead(204).end();
      finish();
    });
    const { child, ended } = start(["worker", "spawn", "--model", "bee-tiny"]);
    child.stderr.once("data", () => child.kill("SIGINT"));
    const { exitCode, error } = await ended;
    expect([exitCode, cancelled]).toEqual([130, 1]);
    expect(error).toContain("cancels the job");
  });
});

describe("rbee login", () => {
  it("keeps a key that the queen accepts in a file only its owner reads, and logout forgets it", async () => {
    const config = join(place.home, "config");
    const user = { id: "u1", name: "Ada", role: "admin", created_at: 1, last_seen_at: null };
    queen.handlers.set("GET /v1/me", (request, response, body) => {
      const refused = { error: { message: "Unknown key.", type: "x", param: null, code: "invalid_api_key" } };
      const accepted = request.headers.authorization === "Bearer rbee_good";
      json(accepted ? 200 : 401, accepted ? user : refused)(request, response, body);
    });
    const refused = await rbee(["login", queen.url], { config, stdin: "rbee_bad\n", home: place.nowhere });
    expect(refused.exitCode).toBe(1);
    expect(refused.error).toContain("Unknown key.");

    const accepted = await rbee(["login", queen.url], { config, stdin: "rbee_good\n", home: place.nowhere });
    expect(accepted.exitCode).toBe(0);
    expect(statSync(join(config, "login.json")).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(config, "login.json"), "utf8"))).toMatchObject({ api_key: "rbee_good" });

    await rbee(["logout"], { config });
    expect(() => statSync(join(config, "login.json"))).toThrow("ENOENT");
  });
});
