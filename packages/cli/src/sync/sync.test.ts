import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { hasTerminals, placeWith, type Place } from "../../test/executable.ts";
import { failure, result, serveJobs } from "../../test/jobs.ts";
import { startSmallQueen, type SmallQueen } from "../../test/queen.ts";

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

const lines = (text: string) => text.split(/\r?\n/u).map((line) => line.trimEnd());
const done = (alias: string, outcome: string) => ({ item: alias, status: "succeeded", data: { outcome } });
const failed = (alias: string, code: string, details: Record<string, unknown> = {}) => ({
  item: alias,
  status: "failed",
  error: failure(code, { message: `${code} there.`, suggestion: "Mend it.", details }),
});
const fingerprint = `SHA256:${"k".repeat(43)}`;
const unknownKey = { host: "attic", address: "10.0.0.7:22", fingerprint, key_type: "ssh-ed25519" };
/** A sync in which machines failed: its error says what became of all, its outcomes why in full. */
const someFailed = (...outcomes: ReturnType<typeof failed | typeof done>[]) => {
  const hives = outcomes.map((outcome) =>
    "error" in outcome
      ? { alias: outcome.item, outcome: "failed", error: { suggestion: null, ...outcome.error } }
      : { alias: outcome.item, outcome: outcome.data.outcome, error: null },
  );
  const error = failure("ssh_timeout", { message: "1 of 2 failed.", details: { plan: [], hives } });
  return result("failed", { error, data: { outcomes } });
};

describe("rbee sync", () => {
  it("--dry-run prints the plan as a table", async () => {
    const jobs = serveJobs(queen, (job) => {
      const plan = [
        { alias: "attic", target: "attic", action: "install", reason: "no agent is there" },
        { alias: "gaming-pc", target: "vince@192.168.1.20", action: "none", reason: "it runs this version" },
      ];
      job.tell(result("succeeded", { data: { plan, hives: [] } }));
    });
    const { exitCode, out } = await place.rbee(["sync", "--dry-run", "--only", "attic, gaming-pc"]);
    expect(exitCode).toBe(0);
    expect(lines(out)).toEqual([
      "MACHINE    TARGET              WOULD      BECAUSE",
      "attic      attic               + install  no agent is there",
      "gaming-pc  vince@192.168.1.20  ✓ nothing  it runs this version",
      "",
    ]);
    expect(jobs[0]?.request).toEqual({ operation: "hive_sync", dry_run: true, only: ["attic", "gaming-pc"] });
  });

  it("prints what became of each machine", async () => {
    serveJobs(queen, (job) => {
      const hives = ["installed", "upgraded"].map((outcome, index) => ({ alias: `m${index}`, outcome, error: null }));
      job.tell(result("succeeded", { data: { plan: [], hives } }));
    });
    const { exitCode, out } = await place.rbee(["sync"]);
    expect(exitCode).toBe(0);
    expect(lines(out)).toEqual(["MACHINE  OUTCOME", "m0       ✓ installed", "m1       ✓ upgraded", ""]);
  });

  it("fails when one machine failed, and says why beneath the others' success", async () => {
    serveJobs(queen, (job) => {
      job.tell(someFailed(done("gaming-pc", "started"), failed("attic", "ssh_timeout")));
    });
    const { exitCode, out, error } = await place.rbee(["sync"]);
    expect([exitCode, error]).toEqual([1, ""]);
    expect(lines(out)).toEqual([
      "MACHINE    OUTCOME",
      "gaming-pc  ✓ started",
      "attic      ✗ failed",
      "",
      "attic: ssh_timeout there.",
      "  Mend it.",
      "",
    ]);
  });

  it("a sync that never came to a machine fails with its own error", async () => {
    serveJobs(queen, (job) => {
      const error = failure("invalid_request", { message: "hives.conf, line 3: a port is missing." });
      job.tell(result("failed", { error }));
    });
    const { exitCode, error } = await place.rbee(["sync"]);
    expect(exitCode).toBe(1);
    expect(error).toContain("hives.conf, line 3");
  });

  it("without a terminal names the option for a host key that is not known", async () => {
    serveJobs(queen, (job) => {
      job.tell(someFailed(failed("attic", "ssh_host_key_unknown", unknownKey)));
    });
    const { exitCode, out } = await place.rbee(["sync"]);
    expect(exitCode).toBe(1);
    expect(out).toContain(`--accept-fingerprint ${fingerprint}`);
  });

  it.skipIf(!hasTerminals)("asks about one machine and tries that one again, the others stay as they are", async () => {
    const jobs = serveJobs(queen, (job, index) => {
      if (index === 0)
        job.tell(someFailed(done("gaming-pc", "started"), failed("attic", "ssh_host_key_unknown", unknownKey)));
      else
        job.tell(
          result("succeeded", { data: { plan: [], hives: [{ alias: "attic", outcome: "installed", error: null }] } }),
        );
    });
    const run = place.start(["sync"], { terminal: true });
    await run.shows("fingerprint: ");
    run.child.stdin.write("yes\n");
    const { exitCode, out } = await run.ended;
    expect(exitCode).toBe(0);
    expect(lines(out).slice(-4)).toEqual(["MACHINE    OUTCOME", "gaming-pc  ✓ started", "attic      ✓ installed", ""]);
    expect(jobs[1]?.request).toEqual({
      operation: "hive_sync",
      dry_run: false,
      only: ["attic"],
      ssh: { accept_fingerprints: [fingerprint] },
    });
  });
});
