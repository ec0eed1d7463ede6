import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/folder.ts";
import { startInstalling, toldBy, type Installing, type Told } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { run } from "../../support/ssh-host/run.ts";

const lock = {
  name: "rbee",
  version: "0.1.0",
  lockfileVersion: 3,
  requires: true,
  packages: { "": { name: "rbee", version: "0.1.0" } },
};

/** A repository that looks like rbee's as far as building there goes; its build is `build`. */
async function smallRepository(build: string): Promise<{ path: string; remove(): void }> {
  const folder = temporaryFolder("repository");
  const git = (...args: string[]) =>
    run("git", ["-C", folder.path, "-c", "user.name=Bee", "-c", "user.email=bee@hive", ...args]);
  mkdirSync(join(folder.path, "scripts"));
  writeFileSync(join(folder.path, "package.json"), JSON.stringify({ name: "rbee", version: "0.1.0" }));
  writeFileSync(join(folder.path, "package-lock.json"), JSON.stringify(lock));
  writeFileSync(join(folder.path, "scripts/bundle.js"), build);
  await run("git", ["-c", "init.defaultBranch=main", "init", "-q", folder.path]);
  await git("add", ".");
  await git("commit", "-qm", "a small rbee");
  // Readable by the account of the test hosts, and trusted though it belongs to somebody else.
  await run("chmod", ["-R", "a+rX", folder.path]);
  return folder;
}

describe.skipIf(whyNoNamespaces !== null)("building on the machine itself", { timeout: 120_000 }, () => {
  let installing: Installing;
  const repositories: { remove(): void }[] = [];

  beforeAll(async () => {
    installing = await startInstalling({ env: { RBEE_REMOTE_GIT_REPO_DIR: "~/src/rbee" } });
  }, 60_000);
  afterAll(async () => {
    for (const repository of repositories) repository.remove();
    await installing.stop();
  });

  async function bareHost(alias: string): Promise<SshHost> {
    const host = await installing.machine(alias);
    writeFileSync(join(host.home, ".gitconfig"), "[safe]\n\tdirectory = *\n");
    return host;
  }
  async function built(alias: string, build: string): Promise<{ host: SshHost; told: Told }> {
    const host = await bareHost(alias);
    const repository = await smallRepository(build);
    repositories.push(repository);
    const told = await installing.install(alias, { method: { git: { repo: repository.path, branch: "main" } } });
    return { host, told };
  }
  const left = (host: SshHost) => (existsSync(join(host.home, ".local")) ? readdirSync(join(host.home, ".local")) : []);

  it("fails in git's own words when the repository cannot be cloned, and leaves nothing", async () => {
    const host = await bareHost("no-repository");
    const told = await installing.install("no-repository", {
      method: { git: { repo: "/nowhere/rbee", branch: "main" } },
    });
    expect(told.result).toMatchObject({
      status: "failed",
      error: { code: "ssh_command_failed", details: { step: "clone", exit_code: 128 } },
    });
    expect(told.result.error?.message).toContain("/nowhere/rbee");
    expect(left(host)).toEqual([]);
  });

  it("fails in the build's own words, with its exit code, and leaves nothing", async () => {
    const { host, told } = await built(
      "bad-build",
      `console.log("mixing wax"); console.error("Error: no honey in src/bee.ts"); process.exit(3);`,
    );
    expect(told.result).toMatchObject({
      status: "failed",
      error: { code: "ssh_command_failed", details: { step: "bundle", exit_code: 3 } },
    });
    expect(told.result.error?.message).toContain("no honey in src/bee.ts");
    expect(told.text).toContain("output: mixing wax");
    expect(left(host)).toEqual([]);
  });

  it("fails as a full disk when the disk is full, and leaves nothing", async () => {
    const host = await bareHost("full-disk");
    const repository = await smallRepository(
      `require("fs").writeFileSync("large", Buffer.alloc(40_000_000)); process.exit(1);`,
    );
    repositories.push(repository);
    const sources = join(host.home, "src");
    await host.asRoot(`mkdir '${sources}' && mount -t tmpfs -o size=8m,uid=4242 tmpfs '${sources}'`);
    const told = await installing.install("full-disk", { method: { git: { repo: repository.path, branch: "main" } } });
    expect(told.result).toMatchObject({
      status: "failed",
      error: { code: "insufficient_disk", details: { step: "bundle" } },
    });
    expect(await host.asRoot(`ls -A '${sources}'`)).toBe("");
    expect(left(host)).toEqual([]);
  });

  it("is ended over there when it is cancelled", async () => {
    const host = await bareHost("endless");
    const repository = await smallRepository(`console.log("counting bees"); setInterval(() => {}, 1000);`);
    repositories.push(repository);
    const jobId = await installing.start({
      operation: "hive_install",
      target: "endless",
      method: { git: { repo: repository.path, branch: "main" } },
      hive_port: 7835,
      auto_start: true,
    });
    const events = [];
    for await (const event of installing.follow(jobId)) {
      events.push(event);
      if (event.type === "narration" && event.message === "counting bees")
        await installing.household.admin.cancelJob({ params: { id: jobId } });
    }
    expect(events.at(-1)).toMatchObject({ type: "result", status: "cancelled" });
    expect(host.processes().filter((command) => command.includes("bundle.js"))).toEqual([]);
    expect(left(host)).toEqual([]);
  });

  it("fails as a lost connection when the link goes down, and the next one works its way through", async () => {
    const host = await bareHost("far");
    const repository = await smallRepository(`console.log("counting bees"); setInterval(() => {}, 1000);`);
    repositories.push(repository);
    const jobId = await installing.start({
      operation: "hive_install",
      target: "far",
      method: { git: { repo: repository.path, branch: "main" } },
      hive_port: 7835,
      auto_start: true,
    });
    const events = [];
    for await (const event of installing.follow(jobId)) {
      events.push(event);
      if (event.type === "narration" && event.message === "counting bees") await host.network?.setLink(false);
    }
    const told = toldBy(jobId, events);
    expect(told.result).toMatchObject({
      status: "failed",
      error: { code: "ssh_connection_lost", details: { step: "bundle" } },
    });
    expect(told.text).toContain("not_cleaned_up: ");
    await host.network?.setLink(true);
    const again = await installing.install("far", { method: { git: { repo: "/nowhere/rbee", branch: "main" } } });
    expect(again.result.error?.details).toMatchObject({ step: "clone" });
  });

  it("refuses what git would take for an option or a program", async () => {
    await bareHost("careful");
    for (const repo of ["--upload-pack=touch /tmp/owned", "ext::sh -c touch% /tmp/owned"]) {
      const told = await installing.install("careful", { method: { git: { repo, branch: "main" } } });
      expect(told.result).toMatchObject({ status: "failed", error: { code: "invalid_request" } });
    }
  });
});

describe.skipIf(whyNoNamespaces !== null)("an installation that takes too long", { timeout: 60_000 }, () => {
  it("is ended over there at its time limit, told as such, and leaves nothing", async () => {
    const installing = await startInstalling({ env: { RBEE_INSTALL_TIMEOUT: "12" } });
    const repository = await smallRepository(`console.log("counting bees"); setInterval(() => {}, 1000);`);
    try {
      const host = await installing.machine("slow");
      writeFileSync(join(host.home, ".gitconfig"), "[safe]\n\tdirectory = *\n");
      const told = await installing.install("slow", { method: { git: { repo: repository.path, branch: "main" } } });
      expect(told.result).toMatchObject({ status: "timed_out", error: { details: { step: "bundle" } } });
      expect(told.text).toContain("timed_out: ");
      expect(host.processes().filter((command) => command.includes("bundle.js"))).toEqual([]);
      expect(existsSync(join(host.home, ".local"))).toBe(false);
    } finally {
      repository.remove();
      await installing.stop();
    }
  });
});
