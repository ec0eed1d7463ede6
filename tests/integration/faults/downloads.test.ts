import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JobEvent } from "@rbee/contract";
import { FakeHub, type Mood } from "../../../packages/hive/src/testing/fake-hub.ts";
import { expectFault, expectJobFault, type Fault } from "../../support/fault.ts";
import { joinedHive, type TestHive } from "../../support/hive.ts";
import { startHousehold, type Household } from "../../support/household.ts";
import { wholeJob } from "../../support/job-stream.ts";
import { projectRoot, tenTimesAsFast } from "../../support/process.ts";
import { rbee } from "../../support/rbee.ts";

/** By the hive's clock, which is ten times as fast. */
const stallS = 3;
const bytesOf = (name: string) =>
  Buffer.concat([readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf")), Buffer.from(name)]);

let hub: FakeHub;
let household: Household;
let attic: TestHive;

beforeAll(async () => {
  hub = await FakeHub.start();
  household = await startHousehold({ localHive: false });
  attic = await joinedHive(household, "attic", {
    ...tenTimesAsFast,
    HF_ENDPOINT: hub.url,
    RBEE_DOWNLOAD_STALL: String(stallS),
  });
});
afterAll(async () => {
  await attic.stop();
  await household.stop();
  await hub.close();
});
beforeEach(() => {
  hub.moods.length = 0;
  hub.listingMoods.length = 0;
  hub.token = undefined;
});

const sixTimes = (mood: Mood): Mood[] => Array.from({ length: 6 }, () => mood);
const pull = async (model: string): Promise<JobEvent[]> => {
  const { job_id } = await household.admin.startJob({ body: { operation: "model_download", model, hive: "attic" } });
  return wholeJob(household.admin, job_id);
};
const resultOf = (events: readonly JobEvent[]) => {
  const result = events.at(-1);
  if (result?.type !== "result") throw new Error("the job told no result");
  return result;
};
const asked = () => hub.fileRequests.length;

interface Row {
  readonly fault: Fault;
  readonly arrange: (repository: string) => void;
  readonly attempts: number;
}

const rows: Record<string, Row> = {
  "that is cut off again and again": {
    arrange: () => hub.moods.push(...sixTimes({ kind: "cut", afterBytes: 10_000 })),
    attempts: 6,
    fault: {
      code: "download_failed",
      message: /cannot be read: the connection (broke off|was reset)/u,
      suggestion: /try again; what is here is kept/u,
    },
  },
  "that goes silent": {
    arrange: () => hub.moods.push(...sixTimes({ kind: "stall", afterBytes: 5_000 })),
    attempts: 6,
    fault: {
      code: "download_stalled",
      message: new RegExp(`sent nothing for ${stallS} s`, "u"),
      suggestion: /what is here is kept/u,
    },
  },
  "whose bytes are not the announced ones": {
    arrange: (repository) => hub.lieAbout(repository, "bee-Q8_0.gguf"),
    attempts: 2,
    fault: { code: "checksum_mismatch", message: /SHA-256|hash|announced/iu, suggestion: /\w{3}/u },
  },
  "that the hub does not have": {
    arrange: () => hub.moods.push({ kind: "status", status: 404, headers: { "x-error-code": "EntryNotFound" } }),
    attempts: 1,
    fault: { code: "download_not_found", message: /has no bee-Q8_0/u, suggestion: /Check the spelling/u },
  },
  "that the hub refuses": {
    arrange: () => hub.moods.push({ kind: "status", status: 403 }),
    attempts: 1,
    fault: { code: "download_forbidden", message: /refuses bee-Q8_0/u, suggestion: /set HF_TOKEN on the hive/u },
  },
  "that the hub keeps putting off": {
    arrange: () => hub.moods.push(...sixTimes({ kind: "status", status: 429 })),
    attempts: 6,
    fault: { code: "download_failed", message: /asks for patience \(429\)/u, suggestion: /Try again later/u },
  },
  "of a hub that has broken down": {
    arrange: () => hub.moods.push(...sixTimes({ kind: "status", status: 500 })),
    attempts: 6,
    fault: { code: "download_failed", message: /answered 500 for bee-Q8_0/u, suggestion: /Try again later/u },
  },
};

describe("a download", () => {
  it.each(Object.entries(rows))(
    "%s fails after the right number of attempts, and the job and rbee say why",
    async (what, { fault, arrange, attempts }) => {
      const repository = `bees/${what.replaceAll(/\W+/gu, "-")}`;
      hub.add(repository, "bee-Q8_0.gguf", bytesOf(what));
      arrange(repository);
      const before = asked();
      await expectJobFault(household, ["model", "pull", `hf:${repository}`, "--hive", "attic"], fault);
      expect(asked() - before).toBe(attempts);
    },
  );

  it("of a private model says to set a token, and one of a hub that talks nonsense which setting to check", async () => {
    hub.add("bees/private", "bee-Q8_0.gguf", bytesOf("private"));
    hub.token = "hf_secret";
    expectFault(resultOf(await pull("hf:bees/private")).error, {
      code: "download_forbidden",
      message: /refuses bees\/private/u,
      suggestion: /HF_TOKEN/u,
    });
    hub.token = undefined;
    hub.listingMoods.push({ kind: "garbage" });
    expectFault(resultOf(await pull("hf:bees/private")).error, {
      code: "download_failed",
      message: /not as a hub of models does/u,
      suggestion: /HF_ENDPOINT/u,
    });
  });

  it("that is asked to wait waits as long, and then succeeds", async () => {
    hub.add("bees/patient", "bee-Q8_0.gguf", bytesOf("patient"));
    hub.moods.push({ kind: "status", status: 429, headers: { "retry-after": "15" } });
    const startedAt = performance.now();
    const events = await pull("hf:bees/patient");
    expect(resultOf(events).status).toBe("succeeded");
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
  });

  it("goes on after cut, silence and breakdown, and nothing of it is fetched twice", async () => {
    const content = bytesOf("resumed");
    hub.add("bees/resumed", "bee-Q8_0.gguf", content);
    hub.moods.push(
      { kind: "cut", afterBytes: 1_000_000 },
      { kind: "stall", afterBytes: 1_000_000 },
      { kind: "status", status: 503 },
    );
    const before = asked();
    const { exitCode, stdout } = await rbee(household, ["model", "pull", "hf:bees/resumed", "--hive", "attic"]);
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^\S+\n$/u)]);
    const ranges = hub.fileRequests.slice(before).map(({ range }) => Number(/\d+/u.exec(range ?? "")?.[0] ?? 0));
    expect(ranges).toHaveLength(4);
    expect(ranges).toEqual(ranges.toSorted((a, b) => a - b));
    expect(ranges.at(-1)).toBeGreaterThan(1_500_000);
  });
});
