import type { QueenClient } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, succeeded, type Installing } from "../../support/installing.ts";
import { invitedMember } from "../../support/people.ts";
import { rbee } from "../../support/rbee.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { answered, runTask } from "../../support/task.ts";
import { waitFor } from "../../support/wait-for.ts";

describe.skipIf(whyNoNamespaces !== null)("a question for a hive that is stopped", { timeout: 120_000 }, () => {
  let installing: Installing;
  let attic: SshHost;
  let member: QueenClient;
  const question = { model: "bee-tiny", prompt: "Who are you?", temperature: 0, max_tokens: 8 };

  beforeAll(async () => {
    installing = await startInstalling();
    attic = await installing.machine("attic");
    succeeded(await installing.install("attic"));
    await installing.household.readyHive("attic");
    member = installing.household.client((await invitedMember(installing.household, "Grace")).key);
  }, 120_000);
  afterAll(() => installing.stop());

  const health = async () => (await installing.household.fleet()).hives[0]?.health;
  const stopHive = async () => {
    succeeded(await installing.run({ operation: "hive_stop", hive: "attic" }));
    await waitFor("attic to be seen as down", async () => (await health()) === "down");
  };
  const starts = async () =>
    (await installing.household.admin.listJobs()).data.filter(({ operation }) => operation === "hive_start");

  it("is nothing that a member may have started: 403, with what an administrator could do", async () => {
    await stopHive();
    for (const node of ["attic", undefined])
      await expect(runTask(member, { ...question, ...(node === undefined ? {} : { node }) })).rejects.toMatchObject({
        ...{ code: "forbidden", status: 403 },
        suggestion: expect.stringContaining("rbee hive start attic") as string,
      });
    expect(await starts()).toEqual([]);
    expect(await health()).toBe("down");
  });

  it("starts it over SSH, once for all who ask, and is answered", async () => {
    const { admin } = installing.household;
    const all = await Promise.all([runTask(admin, question), runTask(admin, { ...question, node: "attic" })]);
    for (const told of all.map(answered)) {
      expect(told.actions).toEqual(["registry", "connect", "hive_start", "preflight", "spawn", "ready"]);
      expect(told.narrations.map(({ action }) => action)).toEqual(expect.arrayContaining(["look", "wait_heartbeat"]));
      expect(told.text).not.toBe("");
      expect(told.events.map((event) => (event.type === "token" ? 0 : event.seq)).filter((seq) => seq !== 0)).toEqual(
        told.events.filter(({ type }) => type !== "token").map((_, index) => index + 1),
      );
    }
    expect(await starts()).toMatchObject([{ state: "succeeded", started_by: "Ada" }]);
    expect((await installing.household.readyHive("attic")).workers).toMatchObject([{ model: "bee-tiny" }]);
    // Now that it runs, anybody may ask.
    answered(await runTask(member, question));
  });

  it("that cannot be reached over SSH either fails with the real reason, not after its time limit", async () => {
    await stopHive();
    await attic.stopListening();
    // A connection that is still open would do.
    await attic.killSessions();
    const startedAt = performance.now();
    const told = await runTask(installing.household.admin, { ...question, node: "attic" });
    expect(told.result).toMatchObject({ status: "failed", error: { code: "hive_unreachable" } });
    expect(told.result.error?.message).toMatch(/^hive_start: connect: attic .* refuses connections/u);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    await attic.startListening();
    const args = ["infer", "--model", "bee-tiny", "--prompt", "Who are you?", "--max-tokens", "8"];
    const { exitCode, stdout, stderr } = await rbee(installing.household, args);
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/\w/u)]);
    expect(stderr).toContain("hive_start");
  });
});
