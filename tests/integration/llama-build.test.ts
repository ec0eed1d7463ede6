import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { startProcess, type TestProcess } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

const started: TestProcess[] = [];
const folders: { remove(): void }[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop("SIGKILL");
  for (const each of folders.splice(0)) each.remove();
});

/** Stands in for cmake: "compiles" in two steps, as it is told by `compile`. */
const cmake = (compile: string) => `
case "$1" in
  -S) mkdir -p "$4/bin"; echo "$@" > "$4/configuration" ;;
  --build) echo '[ 50%] Building CXX object llama.o'; ${compile} ;;
esac`;
const program = (body: string) => `printf '#!/bin/sh\\n${body}\\n' > "$2/bin/$each"; chmod 755 "$2/bin/$each"`;
const compiles = (body = "exit 0") =>
  cmake(`for each in llama-server ggml-rpc-server; do ${program(body)}; done; echo '[100%] Built target llama-server'`);

/** A machine on which these programs are all that is on PATH beside what a shell script needs. */
function machine(tools: Readonly<Record<string, string>>) {
  const folder = temporaryFolder("llama-build");
  folders.push(folder);
  const bin = join(folder.path, "bin");
  mkdirSync(bin);
  for (const name of ["sh", "mkdir", "chmod", "sleep"])
    symlinkSync(["/bin", "/usr/bin"].map((place) => join(place, name)).find(existsSync) ?? name, join(bin, name));
  for (const [name, body] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const cache = join(folder.path, "cache");
  const build = (...args: string[]) => {
    const run = startProcess(["scripts/build-llama.js", ...args], {
      PATH: `${bin}:${dirname(process.execPath)}`,
      RBEE_LLAMA_FOLDER: cache,
    });
    started.push(run);
    return run;
  };
  const inCache = () => (existsSync(cache) ? readdirSync(cache).sort() : []);
  return { build, cache, inCache };
}

const git = 'for last; do :; done; mkdir -p "$last"';
const tools = { git, "c++": "exit 0", make: "exit 0", "nvidia-smi": "exit 9" };

describe("npm run llama:build", () => {
  it("builds both programs into the place where hives look, once", async () => {
    const { build, cache, inCache } = machine({ ...tools, cmake: compiles() });
    const first = build();
    expect(await first.exited, first.output()).toBe(0);
    expect(first.output()).toContain("Compiling: 50 %");
    const [place = "", ...others] = inCache();
    expect(others).toEqual([]);
    expect(place).toMatch(new RegExp(`-${process.platform}-${process.arch}$`, "u"));
    expect(readdirSync(join(cache, place, "bin")).sort()).toEqual(["ggml-rpc-server", "llama-server"]);
    expect(JSON.parse(readFileSync(join(cache, place, "build.json"), "utf8"))).toMatchObject({ backends: ["cpu"] });
    const second = build();
    expect(await second.exited).toBe(0);
    expect(second.output()).toContain("is built already");
    const check = build("--check");
    expect(await check.exited).toBe(0);
    expect(check.output().trim()).toBe(join(cache, place, "bin"));
  });

  it("names everything that is missing and what brings it", async () => {
    const { build, inCache } = machine({ git });
    const run = build("--backend", "cpu");
    expect(await run.exited).toBe(1);
    expect(run.output()).toContain("needs cmake, c++, make");
    if (process.platform === "linux") expect(run.output()).toContain("apt-get install cmake g++ make");
    expect(inCache()).toEqual([]);
  });

  it("shows the compiler's last words when it fails, and leaves no program behind", async () => {
    const { build, inCache } = machine({
      ...tools,
      cmake: cmake("echo 'llama.cpp:1: error: no such thing' >&2; exit 2"),
    });
    const run = build();
    expect(await run.exited).toBe(1);
    expect(run.output()).toContain("Compiling failed (exit code 2)");
    expect(run.output()).toContain("error: no such thing");
    expect(inCache()).toEqual([expect.stringMatching(/\.log$/u)]);
  });

  it("does not put in place what was built but does not run", async () => {
    const { build, inCache } = machine({ ...tools, cmake: compiles("exit 4") });
    const run = build();
    expect(await run.exited).toBe(1);
    expect(run.output()).toContain("llama-server was built but does not run (exit code 4)");
    expect(inCache()).toEqual([expect.stringMatching(/\.log$/u)]);
  });

  it("ends its compilers when it is interrupted, and the next one clears up after one that was killed", async () => {
    const { build, cache, inCache } = machine({ ...tools, cmake: cmake('echo $$ > "$2/pid"; exec sleep 60') });
    const compiler = () => {
      const [work = ""] = inCache().filter((name) => name.startsWith(".building-"));
      return Number(readFileSync(join(cache, work, "build", "pid"), "utf8"));
    };
    const pid = () => waitFor("the compiler", () => compiler() || false);
    const isGone = (each: number) => waitFor("its end", () => !existsSync(`/proc/${each}`));
    const interrupted = build();
    const first = await pid();
    expect(await interrupted.stop("SIGINT")).toBe(130);
    if (process.platform === "linux") await isGone(first);
    expect(inCache()).toEqual([expect.stringMatching(/\.log$/u)]);
    const killed = build();
    const second = await pid();
    await killed.stop("SIGKILL");
    process.kill(second, "SIGKILL");
    expect(inCache()).toHaveLength(2);
    const run = build();
    await waitFor("a clean start", () => {
      const [work, log, ...others] = inCache();
      return work === `.building-${run.pid}` && log?.endsWith(".log") === true && others.length === 0;
    });
  });
});
