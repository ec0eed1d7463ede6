import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/folder.ts";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { projectRoot } from "../../support/process.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { waitFor } from "../../support/wait-for.ts";

const skipped = whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`;

describe.skipIf(whyNoNamespaces !== null)(`a hive that announces itself${skipped}`, { timeout: 60_000 }, () => {
  const folder = temporaryFolder("announced-hive");
  let place: Installing;
  let host: SshHost;
  let hive: ChildProcess;
  beforeAll(async () => {
    // The network to that machine comes into being only after the queen has started.
    place = await startInstalling({ env: { RBEE_MDNS: "true" } });
    host = await place.machine("attic");
    const namespace = host.network?.namespace ?? "";
    const program = [process.execPath, "packages/hive/bin/rbee-hive.js", "--name", "attic hive", "--port", "7911"];
    hive = spawn("ip", ["netns", "exec", namespace, ...program], {
      cwd: projectRoot,
      stdio: "ignore",
      env: { PATH: process.env["PATH"], HOME: folder.path, RBEE_HIVE_HOME: folder.path },
    });
  }, 60_000);
  afterAll(async () => {
    hive.kill("SIGKILL");
    await place.stop();
    folder.remove();
  });

  const announced = async () => {
    const { data } = await place.household.admin.nearbyMachines();
    return data.find(({ sources }) => sources.includes("mdns"));
  };

  it("is found without being written down anywhere, and is gone when it stops", async () => {
    const found = await waitFor("the announcement is heard", announced, { limitMs: 30_000 });
    expect(found).toMatchObject({
      name: "attic hive",
      target: null,
      address: host.address,
      hive_port: 7911,
      sources: ["mdns"],
      state: "not_adopted",
      problem: null,
    });
    await place.run({ operation: "hive_discover" });
    // Written down in the ssh config, without a hive on the usual port: one machine, with the port that it says.
    expect(await announced()).toMatchObject({
      name: "attic",
      target: "attic",
      hive_port: 7911,
      sources: ["ssh_config", "mdns"],
      state: "not_adopted",
      hive_id: found.hive_id,
    });
    const ended = once(hive, "exit");
    hive.kill("SIGTERM");
    await ended;
    await waitFor("it is forgotten", async () => (await announced()) === undefined, { limitMs: 3_000 });
  });
});
