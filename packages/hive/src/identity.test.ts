import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hiveIdSchema, hiveTokenSchema } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { lockHome, makeHome } from "./home.ts";
import { Identity } from "./identity.ts";
import { temporaryFolder } from "./testing/fixture.ts";

describe("a hive's identity", () => {
  it("is made once, with a random token, and only its owner can read it", () => {
    const home = temporaryFolder();
    const first = Identity.open(home);
    const again = Identity.open(home);
    expect(hiveIdSchema.parse(first.hiveId)).toBe(again.hiveId);
    expect(hiveTokenSchema.parse(first.hiveToken)).toBe(again.hiveToken);
    expect(Identity.open(temporaryFolder()).hiveToken).not.toBe(first.hiveToken);
    expect(statSync(join(home, "hive.json")).mode & 0o777).toBe(0o600);
  });

  it("can be prepared by the queen", () => {
    const home = temporaryFolder();
    const prepared = { hive_id: "hive:00000000-0000-4000-8000-000000000000", hive_token: "A".repeat(43) };
    writeFileSync(join(home, "hive.json"), JSON.stringify(prepared));
    const identity = Identity.open(home);
    expect([identity.hiveId, identity.hiveToken]).toEqual([prepared.hive_id, prepared.hive_token]);
  });

  it("keeps the queen's address over a restart", () => {
    const home = temporaryFolder();
    Identity.open(home).reportTo("http://10.0.0.1:7833");
    expect(Identity.open(home).queenUrl).toBe("http://10.0.0.1:7833");
  });

  it("remembers which join token let it in, but not the token", () => {
    const home = temporaryFolder();
    Identity.open(home).joined("http://q:1", "secret-join-token");
    const identity = Identity.open(home);
    expect(identity.hasJoined("http://q:1", "secret-join-token")).toBe(true);
    expect(identity.hasJoined("http://q:1", "another")).toBe(false);
    expect(identity.hasJoined("http://other:1", "secret-join-token")).toBe(false);
    expect(readFileSync(join(home, "hive.json"), "utf8")).not.toContain("secret-join-token");
  });

  it("that is damaged is named, not replaced", () => {
    const home = temporaryFolder();
    writeFileSync(join(home, "hive.json"), "{");
    expect(() => Identity.open(home)).toThrow(/hive\.json is damaged/u);
  });
});

describe("a hive's folder", () => {
  it("is its owner's alone", () => {
    const home = join(temporaryFolder(), "deep", "hive");
    makeHome(home);
    for (const folder of [home, join(home, "models"), join(home, "logs"), join(home, "run")])
      expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("is taken over from a hive that died, even when another process has its number now", () => {
    const home = temporaryFolder();
    writeFileSync(join(home, "hive.lock"), JSON.stringify({ pid: process.ppid, started_at: "another boot/1" }));
    lockHome(home)();
    writeFileSync(join(home, "hive.lock"), "");
    lockHome(home)();
  });
});
