import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { freePort, isAlive, startProcess, type TestProcess } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = temporaryFolder("start");
const started: TestProcess[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop();
});
afterAll(() => {
  folder.remove();
});

function npmStart(env: Record<string, string>): TestProcess {
  const launched = startProcess(["scripts/start.js"], env);
  started.push(launched);
  return launched;
}

const environment = async (home = folder.path) => ({
  RBEE_HOME: home,
  RBEE_CONFIG_DIR: join(home, "config"),
  RBEE_HOST: "127.0.0.1",
  RBEE_PORT: String(await freePort()),
  RBEE_HIVE_HOST: "127.0.0.1",
  RBEE_HIVE_PORT: String(await freePort()),
});

const up = (launched: TestProcess, env: { RBEE_PORT: string }) =>
  waitFor("the start", async () => {
    if (launched.child.exitCode !== null) throw new Error(launched.output());
    return (await fetch(`http://127.0.0.1:${env.RBEE_PORT}/health`)).ok;
  });

/** Every process whose environment names this data folder. */
async function processesOf(home: string): Promise<number[]> {
  const { readFile } = await import("node:fs/promises");
  const pids = readdirSync("/proc").filter((name) => /^\d+$/u.test(name));
  const ours = await Promise.all(
    pids.map(
      async (pid) =>
        (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).includes(`RBEE_HOME=${home}\0`) &&
        (await isAlive(Number(pid))),
    ),
  );
  return pids.filter((_, index) => ours[index]).map(Number);
}

describe("npm start", () => {
  it("says where it is and how to go on, refuses a second start, and leaves nothing behind", async () => {
    const env = await environment();
    const first = npmStart(env);
    await up(first, env);
    await waitFor("the start report", () => first.output().includes("curl"));
    const report = first.output();
    expect(report).toContain(`http://127.0.0.1:${env.RBEE_PORT}`);
    expect(report).toContain("/v1/chat/completions");
    expect(report).toMatch(/setup code/iu);

    const second = npmStart({ ...env, RBEE_PORT: String(await freePort()) });
    expect(await second.exited).toBe(1);
    expect(second.output().trim().split("\n")).toHaveLength(1);
    expect(second.output()).toMatch(/running already/u);

    await waitFor("the local hive", async () => (await processesOf(folder.path)).length >= 2);
    expect(await first.stop("SIGINT")).toBe(0);
    if (process.platform === "linux") expect(await processesOf(folder.path)).toEqual([]);
    const left = (readdirSync(folder.path, { recursive: true }) as string[]).filter((file) =>
      /\.(sock|pid|lock)$|queen\.json$/u.test(file),
    );
    expect(left).toEqual([]);
  });

  it("a taken port is one clear line", async () => {
    const env = await environment();
    const taken = createServer().listen(Number(env.RBEE_PORT), "127.0.0.1");
    await once(taken, "listening");
    const launched = npmStart(env);
    expect(await launched.exited).toBe(1);
    expect(launched.output().trim().split("\n")).toHaveLength(1);
    expect(launched.output()).toContain(env.RBEE_PORT);
    taken.close();
    expect(existsSync(join(folder.path, "queen.json"))).toBe(false);
  });

  it("a wrong setting is one clear line", async () => {
    const launched = npmStart({ ...(await environment()), RBEE_LOAD_WAIT: "soon" });
    expect(await launched.exited).not.toBe(0);
    expect(launched.output().trim()).toBe('RBEE_LOAD_WAIT must be a number of seconds, not "soon".');
  });
});
