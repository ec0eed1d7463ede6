import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";

describe.skipIf(whyNoNamespaces !== null)(
  "installing on a machine that has nothing but sshd",
  { timeout: 120_000 },
  () => {
    let installing: Installing;
    let attic: SshHost;
    const hiveFolder = () => join(attic.home, ".local/share/rbee/hive");

    beforeAll(async () => {
      installing = await startInstalling();
      attic = await installing.machine("attic");
    });
    afterAll(() => installing.stop());

    it("makes it a hive, whose first heartbeat ends the job", async () => {
      const { result, steps, text } = await installing.install("attic");
      expect(result).toMatchObject({ status: "succeeded", data: { name: "attic" } });
      expect(steps).toEqual(
        [
          "connect",
          "preflight",
          "bundle_prepare",
          "create_dir",
          "copying",
          "chmod",
          "verify",
          "switch",
          "service",
          "start",
          "wait_heartbeat",
        ].map((step) => `${step} finished`),
      );
      expect(text).toContain("install_start: ");
      expect(text).toContain("install_complete: ");
      const hive = await installing.household.readyHive("attic");
      expect(hive).toMatchObject({ enrolment: "ssh", address: `${attic.address}:7835` });
    });

    it("leaves there one tree, its links, and an identity that only its owner may read", async () => {
      const entries = await readdir(hiveFolder());
      expect(entries.filter((name) => name.startsWith("."))).toEqual([]);
      const tree = await readlink(join(hiveFolder(), "current"));
      expect(entries).toContain(tree);
      expect(entries).not.toContain("previous");
      expect(await readlink(join(attic.home, ".local/bin/rbee-hive"))).toBe(`${hiveFolder()}/current/bin/rbee-hive`);
      expect((await lstat(join(hiveFolder(), "hive.json"))).mode & 0o777).toBe(0o600);
    });

    it("answers a chat there", async () => {
      const answer = await installing.household.admin.chat({
        body: { model: "bee-tiny", messages: [{ role: "user", content: "Hello" }], max_tokens: 8, stream: false },
        timeoutMs: 60_000,
      });
      expect(answer.choices[0]?.message.content).not.toBe("");
      const hive = await installing.household.readyHive("attic");
      expect(hive.workers).toMatchObject([{ model: "bee-tiny" }]);
    });
  },
);
