import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, succeeded, type Installing } from "../../support/installing.ts";
import { freePort } from "../../support/process.ts";
import { whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";

describe.skipIf(whySkipped !== null)("installing without root, over an sshd on loopback", { timeout: 120_000 }, () => {
  let installing: Installing;
  let host: SshHost;
  let port: number;

  beforeAll(async () => {
    installing = await startInstalling();
    host = await installing.machine("here", { loopback: true });
    port = await freePort();
  });
  afterAll(() => installing.stop());

  it("makes a hive of it that answers a chat", async () => {
    succeeded(await installing.install("here", { hive_port: port }));
    const answer = await installing.household.admin.chat({
      body: { model: "bee-tiny", messages: [{ role: "user", content: "Hello" }], max_tokens: 8, stream: false },
      timeoutMs: 60_000,
    });
    expect(answer.choices[0]?.message.content).not.toBe("");
    expect(await installing.household.readyHive("here")).toMatchObject({ enrolment: "ssh" });
  });

  it("refuses the same port to a second one, and says who has it", async () => {
    await installing.machine("again", { loopback: true });
    const { result } = await installing.install("again", { hive_port: port });
    expect(result).toMatchObject({ status: "failed" });
    expect(JSON.stringify(result.error)).toContain(String(port));
  });

  it("takes away what it put there", async () => {
    succeeded(await installing.run({ operation: "hive_uninstall", hive: "here", remove_models: true }));
    expect(readdirSync(join(host.home, ".local/share"))).toEqual([]);
    expect((await installing.household.fleet()).hives).toEqual([]);
  });
});
