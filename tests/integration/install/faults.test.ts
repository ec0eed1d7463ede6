import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, succeeded, toldBy, type Installing, type Told } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { createKey } from "../../support/ssh-host/keys.ts";

const filesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

/** What an installation that failed must not leave behind: files, processes, a hive in the fleet. */
async function leftOf(installing: Installing, host: SshHost): Promise<Record<string, unknown>> {
  return {
    files: ["", "bin", "share", "share/rbee/hive"].flatMap((folder) => filesIn(join(host.home, ".local", folder))),
    hives: host.processes().filter((command) => command.includes("rbee-hive")),
    fleet: (await installing.household.fleet()).hives.map(({ name }) => name),
    machines: (await installing.household.admin.listBeehives()).data.map(({ name }) => name),
  };
}
const nothing = { files: [], hives: [], fleet: [], machines: [] };

const failure = ({ result }: Told) => ({ status: result.status, code: result.error?.code });
const needed = { timeout: 120_000 };

describe.skipIf(whyNoNamespaces !== null)("an installation that goes wrong", needed, () => {
  let installing: Installing;
  const names: string[] = [];

  beforeAll(async () => {
    installing = await startInstalling();
    // The first one makes the bundle, which the others then find.
    await installing.machine("first");
    succeeded(await installing.install("first"));
    await installing.run({ operation: "hive_uninstall", hive: "first", remove_models: true });
    await installing.household.admin.removeBeehive({ params: { name: "first" } });
  }, 180_000);
  afterAll(() => installing.stop());
  afterEach(() => {
    names.length = 0;
  });

  /** Installs and does something the moment a step begins. */
  async function disturb(target: string, step: string, disturbance: (jobId: string) => unknown): Promise<Told> {
    const jobId = await installing.start({
      operation: "hive_install",
      target,
      method: { bundle: {} },
      hive_port: 7835,
      auto_start: true,
    });
    const events = [];
    for await (const event of installing.follow(jobId)) {
      events.push(event);
      const begins = event.type === "narration" && event.action === step && event.data?.["state"] === "started";
      if (begins) await disturbance(jobId);
    }
    return toldBy(jobId, events);
  }

  it("shows an unknown host key, and goes on once a person has accepted it", async () => {
    const host = await installing.machine("stranger", { known: false });
    const refused = await installing.run({
      operation: "hive_check",
      target: "stranger",
      method: { bundle: {} },
      hive_port: 7835,
    });
    const fingerprint = await host.fingerprint();
    expect(refused.result.error).toMatchObject({ code: "ssh_host_key_unknown", details: { fingerprint } });
    const accepted = await installing.run({
      operation: "hive_check",
      target: "stranger",
      method: { bundle: {} },
      hive_port: 7835,
      ssh: { accept_fingerprints: [fingerprint] },
    });
    expect(accepted.result).toMatchObject({ status: "succeeded", data: { problems: [] } });
  });

  it("is refused by a changed host key", async () => {
    const host = await installing.machine("impostor");
    await host.changeHostKeys();
    const told = await installing.install("impostor");
    expect(failure(told)).toEqual({ status: "failed", code: "ssh_host_key_changed" });
    expect(told.steps).toEqual(["connect failed"]);
    expect(await leftOf(installing, host)).toEqual(nothing);
  });

  it("is refused with a wrong key, and says what would let it in", async () => {
    const other = await createKey(join(installing.ssh.home, "other"));
    const host = await installing.machine("locked", { lines: [`IdentityFile "${other.path}"`] });
    writeFileSync(join(host.folder, "authorized_keys"), "");
    const told = await installing.install("locked");
    expect(failure(told)).toEqual({ status: "failed", code: "ssh_auth_failed" });
    expect(told.result.error?.suggestion).toContain("authorized_keys");
  });

  it("keeps a password out of everything that is kept", async () => {
    const host = await installing.machine("sworn", { password: "beeswax-42", lines: ["PubkeyAuthentication no"] });
    writeFileSync(join(host.folder, "authorized_keys"), "");
    const told = await installing.run({
      operation: "hive_check",
      target: "sworn",
      method: { bundle: {} },
      hive_port: 7835,
      ssh: { password: "beeswax-42" },
    });
    expect(told.result.status).toBe("succeeded");
    const job = await installing.household.admin.getJob({ params: { id: told.jobId } });
    expect(job.input).not.toHaveProperty("ssh");
    expect(JSON.stringify([job, told.events])).not.toContain("beeswax");
  });

  it("names every problem of a machine at once", async () => {
    const host = await installing.machine("stubborn");
    await host.asRoot(
      `nohup perl -MIO::Socket::INET -e 'my $s=IO::Socket::INET->new(Listen=>1,LocalPort=>7835);sleep' >/dev/null 2>&1 & mkdir -p '${host.home}/.local'`,
    );
    chmodSync(join(host.home, ".local"), 0o755);
    const told = await installing.install("stubborn");
    expect(told.steps).toEqual(["connect finished", "preflight failed"]);
    expect(told.result.error?.details?.["problems"]).toMatchObject([
      { code: "forbidden", message: expect.stringContaining(".local") as string },
      { code: "already_exists", message: expect.stringContaining("Port 7835 is taken") as string },
    ]);
  });

  it("goes on by itself when sshd is killed while it copies", async () => {
    const host = await installing.machine("shaky");
    await host.network?.limitRate(200_000);
    const told = await disturb("shaky", "copying", () => host.killSessions());
    succeeded(told);
    await installing.run({ operation: "hive_uninstall", hive: "shaky", remove_models: true });
    await installing.household.admin.removeBeehive({ params: { name: "shaky" } });
  });

  it("fails as a lost connection when sshd is gone for good while it copies", async () => {
    const host = await installing.machine("gone");
    await host.network?.limitRate(200_000);
    const told = await disturb("gone", "copying", async () => {
      await host.stopListening();
      await host.killSessions();
    });
    expect(told.result.status).toBe("failed");
    expect(["hive_unreachable", "ssh_connection_lost"]).toContain(told.result.error?.code);
    expect(told.result.error?.details).toMatchObject({ step: "copying" });
    expect(told.text).toContain("not_cleaned_up: ");
    await host.startListening();
    succeeded(await installing.install("gone"));
    await installing.run({ operation: "hive_uninstall", hive: "gone", remove_models: true });
    await installing.household.admin.removeBeehive({ params: { name: "gone" } });
  });

  it("refuses a second one at once, and names the job that has the machine", async () => {
    const host = await installing.machine("popular");
    let second: unknown;
    const told = await disturb("popular", "copying", async (jobId) => {
      second = await installing.install("popular").catch((error: unknown) => error);
      await installing.household.admin.cancelJob({ params: { id: jobId } });
    });
    expect(second).toMatchObject({ code: "already_exists", details: { job_id: told.jobId } });
    expect(told.result.status).toBe("cancelled");
    expect(await leftOf(installing, host)).toEqual(nothing);
  });

  it.each([
    ...["connect", "preflight", "bundle_prepare", "create_dir", "copying", "chmod"],
    ...["verify", "switch", "service", "start", "wait_heartbeat"],
  ])("leaves nothing behind when it is cancelled in %s", async (step) => {
    const host = await installing.machine(`cancelled-${step.replace("_", "-")}`);
    const told = await disturb(`cancelled-${step.replace("_", "-")}`, step, (jobId) =>
      installing.household.admin.cancelJob({ params: { id: jobId } }),
    );
    expect(told.result.status).toBe("cancelled");
    expect(await leftOf(installing, host)).toEqual(nothing);
  });

  it("is failed when the queen dies in the middle, and the next one works", async () => {
    const host = await installing.machine("orphan");
    const jobId = await installing.start({
      operation: "hive_install",
      target: "orphan",
      method: { bundle: {} },
      hive_port: 7835,
      auto_start: true,
    });
    for await (const event of installing.follow(jobId))
      if (event.type === "narration" && event.action === "chmod") break;
    await installing.household.restartQueen("SIGKILL");
    const job = await installing.household.admin.getJob({ params: { id: jobId } });
    expect(job).toMatchObject({ state: "failed" });
    expect(job.error?.message).toMatch(/queen/iu);
    expect((await installing.household.fleet()).hives).toEqual([]);
    succeeded(await installing.install("orphan"));
    const entries = readdirSync(join(host.home, ".local/share/rbee/hive"));
    expect(entries.filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe.skipIf(whyNoNamespaces !== null)("an unusual machine", needed, () => {
  let installing: Installing;
  beforeAll(async () => {
    installing = await startInstalling();
  }, 60_000);
  afterAll(() => installing.stop());

  it("may have a home folder with a space and a quote, and start-up files that print", async () => {
    const host = await installing.machine("odd", { homeName: `Vince's "own" home`, shell: "/bin/bash" });
    for (const file of [".bashrc", ".profile", ".bash_profile"])
      writeFileSync(join(host.home, file), "echo Welcome to the hive; echo careful >&2; cd /tmp\n");
    const told = await installing.install("odd");
    expect(told.result).toMatchObject({ status: "succeeded", data: { name: "odd" } });
    await installing.run({ operation: "hive_stop", hive: "odd" });
    const again = await installing.run({ operation: "hive_start", hive: "odd" });
    expect(again.result.status).toBe("succeeded");
    const removed = await installing.run({ operation: "hive_uninstall", hive: "odd", remove_models: true });
    expect(removed.result.status).toBe("succeeded");
    expect(existsSync(join(host.home, ".local/share/rbee"))).toBe(false);
  });

  it("may be one that only another machine leads to", async () => {
    const jump = await installing.machine("gate");
    await installing.machine("cellar", { lines: ["ProxyJump gate"] });
    const told = await installing.install("cellar");
    expect(told.result.status).toBe("succeeded");
    expect(told.text).toContain("through gate");
    expect(await jump.log()).toContain("vince");
  });

  it.skipIf(!existsSync("/bin/busybox"))("may have busybox as its shell", async () => {
    const host = await installing.machine("tiny", { sh: "/bin/busybox" });
    succeeded(await installing.install("tiny"));
    expect(existsSync(join(host.home, ".local/bin/rbee-hive"))).toBe(true);
  });
});
