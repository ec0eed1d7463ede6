import type { Beehive, FleetHive, FleetSnapshot } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { result, serveJobs } from "../../test/jobs.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";

const hiveId = "hive:00000000-0000-4000-8000-000000000001";
const attic: Beehive = {
  ...{ name: "attic", target: "vince@10.0.0.7", hive_port: 7900, auto_start: false, hive_id: hiveId },
  ...{ install_method: { git: { repo: "/srv/rbee.git", branch: "main" } }, created_at: 1, updated_at: 1 },
};
const atticHive: FleetHive = {
  ...{ hive_id: hiveId, name: "attic", enrolment: "ssh", address: null, health: "down", last_seen_at: null },
  ...{ version: null, capabilities: null, node: null, workers: [], problem: null },
};
const fleet: FleetSnapshot = {
  ...{ ts: 1, queen: { version: "9.9.9", started_at: 0, household: "Home" }, hives: [], models: [] },
  totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
};

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
  queen.handlers.set("GET /v1/fleet", json(200, fleet));
  queen.handlers.set("GET /v2/registry/beehives/list", json(200, { data: [attic] }));
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

describe("rbee hive install", () => {
  it("asks the queen for what the options say; the hive's id alone is on stdout", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded", { data: { hive_id: hiveId, name: "cellar" } }));
    });
    const options = ["--name", "cellar", "--method", "git", "--repo", "https://x/y.git", "--port", "7999"];
    const { exitCode, out } = await place.rbee(["hive", "install", "ann@10.0.0.8", ...options, "--no-auto-start"]);
    expect([exitCode, out]).toEqual([0, `${hiveId}\n`]);
    expect(jobs[0]?.request).toEqual({
      operation: "hive_install",
      target: "ann@10.0.0.8",
      name: "cellar",
      method: { git: { repo: "https://x/y.git", branch: "main" } },
      hive_port: 7999,
      auto_start: false,
    });
  });

  it("a registered machine is installed as it was registered; `rbee setup install` is the same", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded"));
    });
    expect((await place.rbee(["setup", "install", "attic"])).exitCode).toBe(0);
    expect(jobs[0]?.request).toEqual({
      operation: "hive_install",
      target: attic.target,
      name: "attic",
      method: attic.install_method,
      hive_port: 7900,
      auto_start: false,
    });
  });

  it("options that contradict each other are wrong usage, before anything is started", async () => {
    const jobs = serveJobs(queen, () => {});
    const wrong = await Promise.all([
      place.rbee(["hive", "install", "x", "--method", "git"]),
      place.rbee(["hive", "install", "x", "--method", "bundle", "--repo", "y"]),
      place.rbee(["hive", "install", "x", "--method", "git", "--repo", "y", "--branch", "-x"]),
      place.rbee(["hive", "install", "x", "--port", "0"]),
      place.rbee(["hive", "uninstall", "x", "--remove-models"]),
    ]);
    expect(wrong.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2, 2]);
    expect(wrong[0]?.error).toContain("--repo");
    expect(jobs).toEqual([]);
  });
});

describe("rbee hive check", () => {
  const machine = {
    ...{ name: "attic", user: "vince", address: "10.0.0.7:22", os: "linux", os_name: "Debian GNU/Linux 12" },
    ...{ arch: "x64", libc: "glibc", cpu_threads: 8, ram_total_mb: 16_000, disk_free_mb: null, gpus: [] },
    ...{ service_manager: "systemd", existing: null },
  };
  const check = async (problems: unknown[]) => {
    serveJobs(queen, (job) => {
      job.tell(result("succeeded", { data: { machine, problems, warnings: [] } }));
    });
    return place.rbee(["hive", "check", "attic"]);
  };

  it("names everything that stands in the way, and fails then", async () => {
    const clear = await check([]);
    expect(clear.exitCode).toBe(0);
    expect(clear.out).toContain("✓ nothing stands in the way");
    expect(clear.out).toContain("disk      – free");
    const blocked = await check([
      { code: "insufficient_disk", message: "1 MB is free.", suggestion: "Make room." },
      { code: "port_taken", message: "Port 7835 is taken.", suggestion: null },
    ]);
    expect(blocked.exitCode).toBe(1);
    expect(blocked.out).toContain("✗ problem 1 MB is free.\n          Make room.\n✗ problem Port 7835 is taken.");
  });
});

describe("the registry of machines", () => {
  it("`add` sends what the options say, also as `setup add-node`; 409 is shown with its suggestion", async () => {
    const bodies: unknown[] = [];
    queen.handlers.set("POST /v2/registry/beehives/add", (request, response, body) => {
      bodies.push(JSON.parse(body));
      json(201, attic)(request, response, body);
    });
    const added = await place.rbee(["setup", "add-node", attic.target, "--name", "attic", "--no-auto-start"]);
    expect([added.exitCode, added.out]).toEqual([0, ""]);
    expect(added.error).toContain("rbee setup install attic");
    expect(bodies).toEqual([{ target: attic.target, name: "attic", auto_start: false }]);

    const taken = {
      message: "attic exists.",
      type: "x",
      param: null,
      code: "already_exists",
      suggestion: "Update it.",
    };
    queen.handlers.set("POST /v2/registry/beehives/add", json(409, { error: taken }));
    const second = await place.rbee(["hive", "add", attic.target]);
    expect(second.exitCode).toBe(1);
    expect(second.error).toBe("error    attic exists.\n         Update it.\n");
  });

  it("`update` sends only what changes, and wants something to change", async () => {
    let sent: unknown;
    queen.handlers.set("POST /v2/registry/beehives/update", (request, response, body) => {
      sent = JSON.parse(body);
      json(200, attic)(request, response, body);
    });
    expect((await place.rbee(["hive", "update", "attic", "--auto-start"])).exitCode).toBe(0);
    expect(sent).toEqual({ name: "attic", auto_start: true });
    expect((await place.rbee(["hive", "update", "attic"])).exitCode).toBe(2);
  });

  it("`remove` forgets the machine and its hive, also as `setup remove-node`", async () => {
    queen.handlers.set("GET /v1/fleet", json(200, { ...fleet, hives: [atticHive] }));
    const removed: string[] = [];
    for (const path of ["/v2/registry/beehives/attic", `/v1/hives/${encodeURIComponent(hiveId)}`])
      queen.handlers.set(`DELETE ${path}`, (_request, response) => {
        removed.push(path);
        response.writeHead(204).end();
      });
    const { exitCode, error } = await place.rbee(["setup", "remove-node", "Attic"]);
    queen.handlers.set("GET /v1/fleet", json(200, fleet));
    expect(error).toContain("forgot attic");
    expect(exitCode).toBe(0);
    expect(removed).toHaveLength(2);
  });

  it("`list` shows hives and machines, also as `setup list-nodes`; members see the hives alone", async () => {
    const { out } = await place.rbee(["setup", "list-nodes"]);
    expect(out).toContain("vince@10.0.0.7");
    expect(out).toContain("git /srv/rbee.git main");
    const forbidden = { error: { message: "No.", type: "x", param: null, code: "forbidden" } };
    queen.handlers.set("GET /v2/registry/beehives/list", json(403, forbidden));
    const member = await place.rbee(["hive", "list", "--json"]);
    queen.handlers.set("GET /v2/registry/beehives/list", json(200, { data: [attic] }));
    expect(member.exitCode).toBe(0);
    expect(JSON.parse(member.out)).toEqual({ hives: [], machines: [] });
  });
});

describe("rbee logs", () => {
  it("streams a hive's log to stdout as it comes, until Ctrl-C", async () => {
    queen.handlers.set("GET /v1/hives/attic/logs?lines=5&follow=true", (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("first\nsec");
      response.write("ond\n");
    });
    const run = place.start(["logs", "--node", "attic", "--follow", "--lines", "5"]);
    await run.shows("second\n");
    run.child.kill("SIGINT");
    const { exitCode, out } = await run.ended;
    expect([exitCode, out]).toEqual([130, "first\nsecond\n"]);
  });

  it("with --json each line is an object", async () => {
    queen.handlers.set("GET /v1/hives/attic/logs?lines=200", (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" }).end("first\nlast without an end");
    });
    const { out } = await place.rbee(["hive", "logs", "attic", "--json"]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { hive: "attic", line: "first" },
      { hive: "attic", line: "last without an end" },
    ]);
  });
});
