import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildId, bundleManifestSchema, hostPlatform, makeBundle, makeTree, manifestFile } from "@rbee/bundle";
import { hiveClient } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { projectRoot } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

const topLevel = [
  "LICENSE",
  "bin",
  "bundle.json",
  "models",
  "node",
  "node_modules",
  "package.json",
  "packages",
  "scripts",
];
const platform = hostPlatform();
/** All that a fresh machine has. */
const bare = { PATH: "/usr/bin:/bin" };

describe("the bundle for this machine's platform", { timeout: 120_000 }, () => {
  const folder = temporaryFolder("bundle");
  const cache = join(folder.path, "cache");
  const tree = join(folder.path, 'it\'s a "tree"', "1");
  let hive: ChildProcess | undefined;

  beforeAll(async () => {
    mkdirSync(join(tree, ".."), { recursive: true });
    await makeTree({ root: projectRoot, cache, platform, out: tree });
  }, 60_000);
  afterAll(async () => {
    if (hive !== undefined && hive.exitCode === null && hive.signalCode === null) {
      hive.kill("SIGKILL");
      await once(hive, "close");
    }
    folder.remove();
  });

  it("says what it is, and has nothing at its top that does not belong there", async () => {
    expect(readdirSync(tree).sort()).toEqual(topLevel);
    const manifest = bundleManifestSchema.parse(JSON.parse(readFileSync(join(tree, manifestFile), "utf8")));
    expect(manifest).toMatchObject({ platform, build: await buildId({ root: projectRoot, platform }) });
    expect(execFileSync(join(tree, "node/bin/node"), ["--version"], { encoding: "utf8" })).toBe(`v${manifest.node}\n`);
    const engines = readdirSync(join(tree, "node_modules/@node-llama-cpp"));
    expect(engines).toHaveLength(1);
  });

  it("starts from any folder and through links, with nothing of the machine's own", () => {
    const link = join(folder.path, "rbee-hive");
    symlinkSync(join(tree, "bin/rbee-hive"), link);
    for (const program of [link, join(tree, "bin/rbee-hive")])
      expect(execFileSync(program, ["--version"], { cwd: "/", env: bare, encoding: "utf8" })).toMatch(
        /^rbee-hive \d+\./u,
      );
  });

  it("runs a hive whose worker answers with the demo model, so the pruned engine is whole", async () => {
    const home = join(folder.path, "home");
    const env = { ...bare, HOME: home, RBEE_HIVE_HOME: home, RBEE_HIVE_PORT: "0", RBEE_HIVE_HOST: "127.0.0.1" };
    const started = spawn(join(tree, "bin/rbee-hive"), [], { cwd: "/", env: { ...env, RBEE_WORKER_THREADS: "1" } });
    hive = started;
    let output = "";
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const port = await waitFor("the hive's start", () => {
      if (started.exitCode !== null) throw new Error(output);
      return / port (\d+)\.$/mu.exec(output)?.[1];
    });
    const { hive_token: token } = JSON.parse(readFileSync(join(home, "hive.json"), "utf8")) as { hive_token: string };
    const client = hiveClient({ baseUrl: `http://127.0.0.1:${port}`, token, timeoutMs: 40_000 });
    const { worker_id: id } = await client.spawnWorker({ body: { model: "bee-tiny" } });
    const worker = await client.getWorker({ params: { id }, query: { wait_ms: 30_000 } });
    expect([worker.state, worker.error, output]).toEqual([
      "ready",
      null,
      expect.stringContaining("bee-tiny is loaded"),
    ]);
    const answer = await client.chat({
      params: { id },
      body: { model: "bee-tiny", messages: [{ role: "user", content: "hello" }], max_tokens: 8, temperature: 0 },
    });
    expect(answer.choices[0]?.message.content).not.toBe("");
    started.kill("SIGTERM");
    await once(started, "close");
    expect(started.exitCode).toBe(0);
  });

  it("holds a database that works", () => {
    const script = `
      const { createRequire } = require("node:module");
      const Database = createRequire(process.argv[1] + "/packages/hive/dist/")("better-sqlite3");
      process.stdout.write(String(new Database(":memory:").prepare("select 6 * 7 as n").get().n));`;
    const node = join(tree, "node/bin/node");
    expect(execFileSync(node, ["-e", script, tree], { env: bare, encoding: "utf8" })).toBe("42");
  });

  it("is the same archive every time, of the tree's own files, without a link that could lead out of it", async () => {
    const made = await makeBundle({ root: projectRoot, cache, platform });
    const again = await makeBundle({ root: projectRoot, cache, platform });
    expect(again).toEqual(made);
    const elsewhere = await makeBundle({ root: projectRoot, cache: join(folder.path, "other"), platform });
    expect(elsewhere.sha256).toBe(made.sha256);
    rmSync(join(folder.path, "other"), { recursive: true });
    const lines = execFileSync("tar", ["-tvzf", made.file], { encoding: "utf8", maxBuffer: 1 << 24 })
      .trim()
      .split("\n");
    expect(lines.filter((line) => !line.startsWith("-"))).toEqual([]);
    const paths = execFileSync("tar", ["-tzf", made.file], { encoding: "utf8", maxBuffer: 1 << 24 })
      .trim()
      .split("\n");
    expect(paths.filter((path) => path.startsWith("/") || path.split("/").includes(".."))).toEqual([]);
    expect([...new Set(paths.map((path) => path.split("/")[0]))].sort()).toEqual(topLevel);
    const inTree = readdirSync(tree, { recursive: true, withFileTypes: true });
    expect(paths.length).toBe(inTree.filter((entry) => entry.isFile()).length);
    expect(made.bytes).toBeLessThan(90e6);
  });

  it("is made once for two who ask at the same time, and leaves nothing when the last of them gives up", async () => {
    const place = join(folder.path, "aborted");
    const stop = new AbortController();
    let told = 0;
    const options = { root: projectRoot, cache: place, platform, signal: stop.signal };
    const both = [1, 2].map(() =>
      makeBundle({
        ...options,
        onProgress: ({ phase }) => {
          if (phase === "pack" && ++told === 4) stop.abort(new Error("enough"));
        },
      }),
    );
    for (const one of both) await expect(one).rejects.toThrow("enough");
    expect(readdirSync(place)).toEqual([]);
  });
});
