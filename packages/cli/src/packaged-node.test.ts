import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const guard = fileURLToPath(new URL("../../../scripts/packaged-node.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rbee-guard-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const majorOf = (node: string) =>
  Number(spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.split(".")[0]);
/** A Node on PATH that is not the packaged one; these claims need one. */
const otherNode = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((path) => join(path, "node"))
  .find((node) => existsSync(node) && majorOf(node) >= 18 && majorOf(node) < 26);

/** A script that starts with the guard, beside a `node_modules` or far away from any. */
function script(name: string, rest: string, guardFile = guard): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `import { usePackagedNode } from ${JSON.stringify(guardFile)};\nawait usePackagedNode(import.meta.url);\n${rest}`,
  );
  return file;
}

describe.skipIf(otherNode === undefined)("a program that is started with another Node", () => {
  const old = otherNode ?? "";

  it("runs on the packaged one, with its arguments and exit code, and says nothing", () => {
    const file = script(
      "plain.mjs",
      "process.stdout.write(JSON.stringify([process.versions.node.split('.')[0], process.argv.slice(2), process.env.RBEE_PACKAGED_NODE ?? null])); process.exitCode = 7;",
    );
    const { stdout, stderr, status } = spawnSync(old, [file, "a b", "--c"], { encoding: "utf8" });
    expect(JSON.parse(stdout)).toEqual(["26", ["a b", "--c"], null]);
    expect([stderr, status]).toEqual(["", 7]);
  });

  it("gets the signals that are sent to it, and ends by the signal that ended the program", async () => {
    const run = async (rest: string, signal: NodeJS.Signals) => {
      const child = spawn(old, [script("signal.mjs", rest)], { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      child.kill(signal);
      return (await once(child, "exit")) as unknown[];
    };
    const stay = "setInterval(() => {}, 1000); process.stdout.write('up');";
    expect(await run(stay, "SIGTERM")).toEqual([null, "SIGTERM"]);
    expect(await run(`process.on('SIGINT', () => process.exit(5)); ${stay}`, "SIGINT")).toEqual([5, null]);
  });

  it("keeps its process channel, both ways, until its parent lets go", async () => {
    const child = fork(
      script(
        "channel.mjs",
        "process.on('message', (m) => process.send(m + 1)); process.on('disconnect', () => process.exit(3));",
      ),
      { execPath: old, execArgv: [] },
    );
    child.send(41);
    expect(await once(child, "message")).toEqual([42, undefined]);
    child.disconnect();
    expect(await once(child, "exit")).toEqual([3, null]);
  });

  it("without a packaged Node says in one line what to do", () => {
    const copy = join(folder, "packaged-node.mjs");
    copyFileSync(guard, copy);
    const { stdout, stderr, status } = spawnSync(old, [script("bare.mjs", "console.log('ran')", copy)], {
      encoding: "utf8",
    });
    expect([stdout, status]).toEqual(["", 1]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("npm ci");
  });
});
