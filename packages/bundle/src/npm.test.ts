import { join } from "node:path";
import { symlinkSync } from "node:fs";
import { expect, it } from "vitest";
import { findNpm, runNpm } from "./npm.ts";
import { temporaryFolder, writeFiles } from "./testing/small-root.ts";

const nowhere = join("/nowhere", "bin", "node");

it("npm is the one that runs us, else the one beside Node, else one on PATH, else one in a usual folder", () => {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "running/npm-cli.js": "",
    "node/lib/node_modules/npm/bin/npm-cli.js": "",
    "path/npm": "#!/bin/sh",
    "usual/npm": "#!/bin/sh",
  });
  symlinkSync("../running/npm-cli.js", join(folder, "path", "linked"));
  const at = (path: string) => join(folder, path);
  const env = { npm_execpath: at("running/npm-cli.js"), PATH: `/nowhere:${at("path")}` };
  expect(findNpm(env, [at("usual")], at("node/bin/node"))).toEqual({
    program: process.execPath,
    before: [at("running/npm-cli.js")],
  });
  expect(findNpm({ PATH: env.PATH, npm_execpath: "/usr/lib/yarn.js" }, [], at("node/bin/node"))).toEqual({
    program: process.execPath,
    before: [at("node/lib/node_modules/npm/bin/npm-cli.js")],
  });
  expect(findNpm({ PATH: env.PATH }, [], nowhere)).toEqual({ program: at("path/npm"), before: [] });
  expect(findNpm({}, [at("usual")], nowhere)).toEqual({ program: at("usual/npm"), before: [] });
  expect(findNpm({ PATH: "/nowhere" }, [], nowhere)).toBeNull();
});

const call = (script: string, signal?: AbortSignal) => {
  const folder = temporaryFolder();
  writeFiles(folder, { npm: `#!/bin/sh\n${script}\n` });
  const npm = { program: join(folder, "npm"), before: [] };
  return runNpm({ npm, args: ["pack", "x"], cwd: folder, env: process.env, signal, purpose: "fetch x@1" });
};

it("a failure carries npm's own words, whether it printed them as JSON or not", async () => {
  await expect(
    call(`echo '{"error":{"code":"ECONNREFUSED","summary":"connect refused"}}'; exit 1`),
  ).rejects.toMatchObject({
    code: "download_failed",
    message: "rbee could not fetch x@1: npm says: connect refused",
    details: { npm_code: "ECONNREFUSED", exit_code: 1 },
  });
  await expect(call("echo broken >&2; exit 3")).rejects.toMatchObject({
    code: "download_failed",
    message: "rbee could not fetch x@1: npm says: broken",
  });
});

it("without npm, the error says what to install", async () => {
  const missing = runNpm({ npm: null, args: [], cwd: "/", env: {}, purpose: "fetch x@1" });
  await expect(missing).rejects.toMatchObject({
    code: "download_failed",
    message: expect.stringContaining("npm is not installed"),
    suggestion: expect.stringContaining("Install Node with npm"),
  });
});

it("an abort ends npm and what it started", async () => {
  const stop = new AbortController();
  // Both hold the output open: the call would not settle before they are gone.
  const running = call("sleep 60 & sleep 60", stop.signal);
  stop.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
});
