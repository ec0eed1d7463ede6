import { spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";
import { join } from "node:path";
import { Refusal, run } from "../prepare/command.js";
import { backendSettings, onPath } from "./backends.js";
import { fileOf, programs } from "./place.js";

/** @typedef {import("./place.js").LlamaPlace} LlamaPlace */
/** @typedef {import("./backends.js").Backend} Backend */

const settings = [
  "-DCMAKE_BUILD_TYPE=Release",
  "-DBUILD_SHARED_LIBS=OFF",
  "-DGGML_RPC=ON",
  "-DLLAMA_BUILD_TESTS=OFF",
  "-DLLAMA_BUILD_EXAMPLES=OFF",
  // Pages and downloads of its own are what nobody of the household asks it for.
  "-DLLAMA_BUILD_UI=OFF",
  "-DLLAMA_BUILD_WEBUI=OFF",
  "-DLLAMA_CURL=OFF",
  "-DLLAMA_OPENSSL=OFF",
];

/** Programs that building needs, with the packages that bring them. */
const tools = [
  { names: ["git"], debian: "git", mac: "xcode-select --install" },
  { names: ["cmake"], debian: "cmake", mac: "brew install cmake" },
  { names: ["c++", "g++", "clang++"], debian: "g++", mac: "xcode-select --install" },
  { names: ["make", "ninja"], debian: "make", mac: "xcode-select --install" },
];

/** @throws {Refusal} naming everything that is missing, and what brings it. */
function refuseWithoutTools() {
  // Visual Studio's compiler is on no PATH; cmake finds it, and says so when it does not.
  const needed = process.platform === "win32" ? tools.slice(0, 2) : tools;
  const missing = needed.filter(({ names }) => !names.some((name) => onPath(name) !== undefined));
  if (missing.length === 0) return;
  const names = missing.map(({ names: [first] }) => first).join(", ");
  const how = {
    linux: `Debian: apt-get install ${missing.map(({ debian }) => debian).join(" ")}`,
    darwin: [...new Set(missing.map(({ mac }) => mac))].join("; "),
  };
  const advice = process.platform === "darwin" ? how.darwin : how.linux;
  throw new Refusal(`Building llama.cpp needs ${names}, which this machine does not have. ${advice}`);
}

const unfinished = ".building-";

/** What a build that was killed has left. @param {string} cache */
function removeLeftovers(cache) {
  for (const name of readdirSync(cache).filter((one) => one.startsWith(unfinished)))
    if (!isRunning(Number(name.slice(unfinished.length)))) rmSync(join(cache, name), { recursive: true, force: true });
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds both programs in a folder aside and puts them into their place when both of them run; whatever goes wrong, the
 * place stays as it was.
 * @param {LlamaPlace} place
 * @param {readonly Backend[]} backends
 * @param {number} [jobs] Compilers at the same time.
 * @throws {Refusal} when a tool is missing or a step fails, with its last lines and where the whole log is.
 */
export async function buildLlama(place, backends, jobs = availableParallelism()) {
  refuseWithoutTools();
  mkdirSync(place.cache, { recursive: true });
  removeLeftovers(place.cache);
  const work = join(place.cache, `${unfinished}${process.pid}`);
  mkdirSync(work);
  const remove = () => {
    rmSync(work, { recursive: true, force: true, maxRetries: 3 });
  };
  // Also when this process is interrupted.
  process.once("exit", remove);
  // Answers of this machine's workers go before compiling.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const log = join(place.cache, `${place.release}.log`);
  rmSync(log, { force: true });
  try {
    const [source, build] = [join(work, "source"), join(work, "build")];
    process.stdout.write(`llama.cpp ${place.release} for ${backends.join(", ")}, ${jobs} at a time; log: ${log}\n`);
    await step("Unpacking", log, "git", ["clone", "--quiet", place.bundle, source]);
    const generator = onPath("ninja") === undefined || process.platform === "win32" ? [] : ["-G", "Ninja"];
    const configuration = [...generator, ...settings, ...backendSettings(backends)];
    await step("Configuring", log, "cmake", ["-S", source, "-B", build, ...configuration]);
    const targets = programs.flatMap((name) => ["--target", name]);
    await step("Compiling", log, "cmake", ["--build", build, "--config", "Release", ...targets, "-j", String(jobs)]);
    const made = join(work, "made");
    mkdirSync(join(made, "bin"), { recursive: true });
    for (const name of programs) await take(name, build, join(made, "bin"));
    const facts = { release: place.release, backends, built_at: new Date().toISOString() };
    writeFileSync(join(made, "build.json"), `${JSON.stringify(facts, null, 2)}\n`);
    putInPlace(made, place.folder, join(work, "former"));
    rmSync(log, { force: true });
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** A running hive may use what is there: its file stays for as long as it does. */
function putInPlace(/** @type {string} */ made, /** @type {string} */ folder, /** @type {string} */ former) {
  if (existsSync(folder)) renameSync(folder, former);
  renameSync(made, folder);
}

/** @param {string} name @param {string} build @param {string} bin */
async function take(name, build, bin) {
  const file = fileOf(name);
  const from = [join(build, "bin", file), join(build, "bin", "Release", file)].find((path) => existsSync(path));
  if (from === undefined) throw new Refusal(`cmake said that it built ${name}, but it is not there.`);
  const to = join(bin, file);
  copyFileSync(from, to);
  const { code, output } = await run(to, ["--help"]);
  if (code !== 0) throw new Refusal(`${name} was built but does not run (exit code ${code}): ${output.slice(-500)}`);
}

/**
 * Runs one command; its output goes to the log, and what it says of its progress to the terminal.
 * @param {string} title
 * @param {string} log
 * @param {string} command
 * @param {readonly string[]} args
 */
async function step(title, log, command, args) {
  const file = openSync(log, "a", 0o600);
  const startedAt = performance.now();
  const show = progressLine(title);
  try {
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const interrupt = () => {
          stop(child);
          process.exit(130);
        };
        // Before there is anything that an interruption could leave behind.
        for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.once(signal, interrupt);
        // A group of its own: an interruption is passed on to all compilers at once.
        const child = spawn(command, args, {
          stdio: ["ignore", "pipe", "pipe"],
          detached: process.platform !== "win32",
        });
        const hear = (/** @type {Buffer} */ chunk) => {
          writeSync(file, chunk);
          show(chunk.toString("utf8"));
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.on("error", (error) => reject(new Refusal(`${command} cannot be run: ${error.message}`)));
        child.on("close", (code, signal) => {
          for (const each of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.off(each, interrupt);
          if (code === 0) resolve();
          else
            reject(
              new Refusal(
                `${title} failed (${signal ?? `exit code ${code}`}). Its last lines:\n${tail(log)}\nAll of it: ${log}`,
              ),
            );
        });
      })
    );
  } finally {
    closeSync(file);
  }
  show.done(`${title}: done in ${Math.round((performance.now() - startedAt) / 1_000)} s`);
}

/** @param {import("node:child_process").ChildProcess} child */
function stop(child) {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** @param {string} log */
const tail = (log) => readFileSync(log, "utf8").trimEnd().split("\n").slice(-20).join("\n");

/**
 * Shows how far make or ninja is: in one line on a terminal, every ten percent elsewhere.
 * @param {string} title
 */
function progressLine(title) {
  const terminal = process.stdout.isTTY;
  let shown = -1;
  const write = (/** @type {number} */ percent) => {
    if (percent <= shown || (!terminal && percent < shown + 10)) return;
    shown = percent;
    process.stdout.write(terminal ? `\r${title}: ${percent} %` : `${title}: ${percent} %\n`);
  };
  if (terminal) process.stdout.write(`${title}…`);
  const show = (/** @type {string} */ text) => {
    for (const percent of percentagesIn(text)) write(percent);
  };
  return Object.assign(show, {
    done: (/** @type {string} */ line) => void process.stdout.write(terminal ? `\r${line}          \n` : `${line}\n`),
  });
}

/**
 * `[ 37%]` as make says it, `[37/100]` as ninja does; in percent.
 * @param {string} text
 * @returns {number[]}
 */
export function percentagesIn(text) {
  return [...text.matchAll(/^\[\s*(\d+)(?:%|\/(\d+))\]/gmu)].map(([, done, total]) =>
    Math.floor(total === undefined ? Number(done) : (Number(done) / Number(total)) * 100),
  );
}
