import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleVariant } from "../../support/bundle-variant.ts";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";

const hiveJson = (text: string) => JSON.parse(text) as { hive_id: string; hive_token: string };

describe.skipIf(whyNoNamespaces !== null)("the versions on a machine", { timeout: 120_000 }, () => {
  let installing: Installing;
  let attic: SshHost;
  const inHive = (path = "") => join(attic.home, ".local/share/rbee/hive", path);
  const identity = () => hiveJson(readFileSync(inHive("hive.json"), "utf8"));
  const current = async () => readlink(inHive("current"));
  const hives = () => attic.processes().filter((command) => command.includes("rbee-hive.js"));
  const archive = () => {
    const folder = join(installing.household.home, "bundles");
    const name = readdirSync(folder).find((file) => file.startsWith("rbee-hive-") && file.endsWith(".tar.gz"));
    if (name === undefined) throw new Error("no bundle was made");
    return join(folder, name);
  };
  const variant = (build: string, instead?: string) =>
    bundleVariant(archive(), join(installing.ssh.home, `${build}.tar.gz`), {
      build,
      ...(instead === undefined ? {} : { instead }),
    });
  const upgrade = (path: string) =>
    installing.run({ operation: "hive_upgrade", hive: "attic", method: { binary: { path } } });

  beforeAll(async () => {
    installing = await startInstalling();
    attic = await installing.machine("attic");
    const { result } = await installing.install("attic");
    expect(result.status).toBe("succeeded");
  }, 180_000);
  afterAll(() => installing.stop());

  it("do not change when the same is installed again", async () => {
    const [tree, { hive_id }, processes] = [await current(), identity(), hives()];
    const { result, steps, text } = await installing.install("attic");
    expect(result).toMatchObject({ status: "succeeded", data: { hive_id } });
    expect(text).toContain("already_installed: ");
    expect(steps).not.toContain("copying finished");
    expect([await current(), identity().hive_id, hives()]).toEqual([tree, hive_id, processes]);
  });

  it("stop and start when they are told to, and keep who they are", async () => {
    const { hive_id } = identity();
    const stopped = await installing.run({ operation: "hive_stop", hive: "attic" });
    expect(stopped.result).toMatchObject({ status: "succeeded", data: { hive_id } });
    expect(hives()).toEqual([]);
    const started = await installing.run({ operation: "hive_start", hive: "attic" });
    expect(started.result).toMatchObject({ status: "succeeded", data: { hive_id, name: "attic" } });
    expect(hives()).toHaveLength(1);
  });

  it("stay what they were when an upgrade does not start, and its own words say why", async () => {
    const [tree, { hive_id, hive_token }] = [await current(), identity()];
    const broken = await variant("bad0bad0bad0", `console.error("rbee-hive: the wax is cold"); process.exit(1);`);
    const { result, steps, text } = await upgrade(broken);
    expect(result).toMatchObject({ status: "failed", error: { code: "hive_down" } });
    expect(result.error?.message).toContain("the wax is cold");
    expect(steps.slice(-2)).toEqual(["wait_heartbeat failed", "restore finished"]);
    expect(text).toContain("runs again");
    expect(await current()).toBe(tree);
    expect(identity()).toMatchObject({ hive_id, hive_token });
    expect(readdirSync(inHive()).filter((name) => name.includes("bad0bad0bad0"))).toEqual([]);
    await installing.household.readyHive("attic");
    expect(hives()).toHaveLength(1);
  });

  it("change with an upgrade, and back with a rollback", async () => {
    const first = await current();
    const { result } = await upgrade(await variant("600d600d600d"));
    expect(result).toMatchObject({ status: "succeeded", data: { build: "600d600d600d" } });
    expect(await readlink(inHive("previous"))).toBe(first);
    expect(await current()).toContain("600d600d600d");
    const back = await installing.run({ operation: "hive_rollback", hive: "attic" });
    expect(back.result.status).toBe("succeeded");
    expect(await current()).toBe(first);
    expect(await readlink(inHive("previous"))).toContain("600d600d600d");
    const hive = await installing.household.readyHive("attic");
    expect(hive.capabilities?.build).toBe(first.split("-").at(-1));
  });

  it("are at most two: the one that runs and the one before", async () => {
    const { result } = await upgrade(await variant("3333cafe3333"));
    expect(result.status).toBe("succeeded");
    const trees = readdirSync(inHive()).filter((name) => /^\d/u.test(name));
    expect(trees).toHaveLength(2);
    expect(trees.some((name) => name.includes("600d600d600d"))).toBe(false);
  });

  it("for other machines are refused before anything is copied", async () => {
    const path = await bundleVariant(archive(), join(installing.ssh.home, "arm.tar.gz"), {
      build: "4444cafe4444",
      platform: { os: "linux", arch: "arm64", gpu: "none" },
    });
    const { result, steps } = await upgrade(path);
    expect(result).toMatchObject({ status: "failed", error: { code: "backend_unavailable" } });
    expect(steps).not.toContain("copying finished");
  });

  it("are gone after an uninstallation, and the models are not", async () => {
    const { hive_id } = identity();
    await rm(inHive("models/mine"), { force: true });
    await attic.asRoot(`echo gguf > '${inHive("models")}/mine' && chown 4242 '${inHive("models")}/mine'`);
    const { result } = await installing.run({ operation: "hive_uninstall", hive: "attic", remove_models: false });
    expect(result.status).toBe("succeeded");
    expect(readdirSync(inHive())).toEqual(["models"]);
    expect(existsSync(join(attic.home, ".local/bin/rbee-hive"))).toBe(false);
    expect(hives()).toEqual([]);
    expect((await installing.household.fleet()).hives.map((hive) => hive.hive_id)).not.toContain(hive_id);
    const { data } = await installing.household.admin.listBeehives();
    expect(data).toMatchObject([{ name: "attic", hive_id: null }]);
  });
});
