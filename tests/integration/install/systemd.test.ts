import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, succeeded, type Installing } from "../../support/installing.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import {
  startServiceManager,
  whyNoServiceManager,
  type ServiceManager,
} from "../../support/ssh-host/service-manager.ts";
import { waitFor } from "../../support/wait-for.ts";

describe.skipIf(whyNoServiceManager !== null)("a machine with systemd", { timeout: 120_000 }, () => {
  let installing: Installing;
  let host: SshHost;
  let manager: ServiceManager;
  const show = async (property: string) =>
    (await manager.asAccount(`systemctl --user show -p ${property} --value rbee-hive`)).trim();
  const unit = () => join(host.home, ".config/systemd/user/rbee-hive.service");

  beforeAll(async () => {
    installing = await startInstalling();
    host = await installing.machine("attic", { homeName: `o'neil's house` });
    if (host.enter === null) throw new Error("the host has no namespaces of its own");
    manager = await startServiceManager(host.enter, host.home);
  });
  afterAll(async () => {
    await manager?.stop();
    await installing.stop();
  });

  it("runs the hive as a service of the account, and says when lingering could not be had", async () => {
    const { text } = succeeded(await installing.install("attic"));
    expect(text).toContain("as a systemd service of the account");
    // The test host has no logind, which is who lets services outlive a login.
    expect(text).toContain("lingering could not be turned on");
    expect(await show("ActiveState")).toBe("active");
    expect(await show("UnitFileState")).toBe("enabled");
    expect((await installing.household.readyHive("attic")).name).toBe("attic");
  });

  it("has it started again when it is killed", async () => {
    const before = await show("MainPID");
    // Anything but a process of its own would be a whole group, the tests' own included.
    expect(before).toMatch(/^[1-9]\d*$/u);
    await host.asRoot(`kill -KILL ${before}`);
    await waitFor("its successor", async () => {
      const now = await show("MainPID");
      return now !== "0" && now !== before;
    });
    await waitFor("its heartbeat", async () =>
      (await installing.household.fleet()).hives.some(({ name, health }) => name === "attic" && health === "healthy"),
    );
  });

  it("is stopped and started through the service", async () => {
    succeeded(await installing.run({ operation: "hive_stop", hive: "attic" }));
    expect(await show("ActiveState")).toBe("inactive");
    succeeded(await installing.run({ operation: "hive_start", hive: "attic" }));
    expect(await show("ActiveState")).toBe("active");
  });

  it("leaves no unit behind when it is uninstalled", async () => {
    expect(existsSync(unit())).toBe(true);
    succeeded(await installing.run({ operation: "hive_uninstall", hive: "attic", remove_models: true }));
    expect(existsSync(unit())).toBe(false);
    expect(await show("LoadState")).toBe("not-found");
  });
});
