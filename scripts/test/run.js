import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Refusal, run } from "../prepare/command.js";
import { root } from "../prepare/root.js";
import { ensurePrerequisites } from "./prerequisites.js";
import { allSuites } from "./suites.js";

/** @typedef {import("./suites.js").Suite} Suite */
/** @typedef {import("./reports.js").Counts} Counts */
/** @typedef {{ suite: Suite; state: "passed" | "failed" | "skipped"; seconds: number; counts: Counts; why?: string }} Outcome */

const inCi = ["true", "1"].includes(process.env["CI"] ?? "");
/** @type {Counts} */
const none = { passed: 0, failed: 0, skipped: 0, failures: [], unsteady: [] };

/**
 * @param {readonly string[]} args
 * @param {readonly Suite[]} suites
 */
function chosen(args, suites) {
  const names = args.flatMap((arg, index) =>
    arg.startsWith("--suite=") ? arg.slice(8).split(",") : args[index - 1] === "--suite" ? arg.split(",") : [],
  );
  const unknown =
    names.find((name) => !suites.some((suite) => suite.name === name)) ??
    args.find((arg, index) => !arg.startsWith("--suite") && args[index - 1] !== "--suite");
  if (unknown !== undefined)
    throw new Refusal(
      `There is no suite ${unknown}. Usage: npm test -- --suite NAME, with ${suites.map(({ name }) => name).join(", ")}.`,
    );
  return names.length === 0 ? [...suites] : suites.filter(({ name }) => names.includes(name));
}

/** The developer's own rbee must not leak into the tests, but for where llama.cpp is; `node` is the packaged one. */
function environment() {
  const own = Object.entries(process.env).filter(([name]) => !/^RBEE_(?!LLAMA_)/u.test(name));
  const path = [join(root, "node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter);
  return { ...Object.fromEntries(own), PATH: path };
}

/**
 * @param {Suite} suite
 * @returns {Promise<Outcome>}
 */
async function runSuite(suite) {
  const startedAt = performance.now();
  let failed = false;
  for (const command of suite.commands) {
    const env = { ...environment(), ...suite.env };
    const { code } = await run(process.execPath, command, { env, show: true });
    failed = code !== 0;
    if (failed) break;
  }
  let counts = readCounts(suite);
  // A suite that could not even start its tests still counts as a failure in the sum.
  if (failed && counts.failed === 0) counts = { ...counts, failed: 1 };
  const seconds = (performance.now() - startedAt) / 1000;
  return { suite, state: failed ? "failed" : "passed", seconds, counts };
}

/**
 * @param {Suite} suite
 * @returns {Counts}
 */
function readCounts({ report }) {
  if (report === undefined) return { ...none };
  try {
    return report.read(JSON.parse(readFileSync(report.file, "utf8")));
  } catch {
    return { ...none };
  }
}

/**
 * A suite that cannot run: skipped on somebody's machine, a failure in CI.
 * @param {Suite} suite
 * @param {string} why
 * @returns {Outcome}
 */
function cannotRun(suite, why) {
  const counts = inCi ? { ...none, failed: 1 } : { ...none, skipped: 1 };
  return { suite, state: inCi ? "failed" : "skipped", seconds: 0, counts, why };
}

/**
 * @param {Suite} suite
 * @returns {Promise<Outcome>}
 */
async function runOrSkip(suite) {
  if (suite.files !== undefined && globSync(suite.files, { cwd: root }).length === 0)
    return cannotRun(suite, `no test file matches ${suite.files}`);
  const { missing, advice } = await ensurePrerequisites([...(suite.needs ?? []), ...(suite.wants ?? [])]);
  const names = missing.map(({ name }) => name).join(", ");
  const cannot = missing.some((one) => suite.needs?.includes(one) === true);
  if (cannot || (missing.length > 0 && inCi)) return cannotRun(suite, `${names} is missing: ${advice}`);
  if (missing.length > 0)
    process.stdout.write(`${names} is missing, so the tests that need it are skipped. To install: ${advice}\n`);
  for (const extra of suite.uses ?? [])
    if (!(await extra.isPresent()))
      process.stdout.write(
        `${extra.name} is not on this machine, so its tests are skipped. To have it: ${extra.how}\n`,
      );
  return runSuite(suite);
}

/**
 * Runs the suites one after the other, all of them even when one fails, and ends the process: exit code 0 when nothing
 * failed, else 1. The last line is the sum over all test runners.
 * @param {readonly string[]} args `--suite NAME` picks some.
 * @throws {Refusal} on an unknown suite.
 */
export async function runSuites(args) {
  const reports = mkdtempSync(join(tmpdir(), "rbee-reports-"));
  process.on("exit", () => {
    rmSync(reports, { recursive: true, force: true });
  });
  /** @type {Outcome[]} */
  const outcomes = [];
  for (const suite of chosen(args, allSuites(reports))) {
    process.stdout.write(`\n── ${suite.title} ──\n`);
    const outcome = await runOrSkip(suite);
    outcomes.push(outcome);
    const why = outcome.why === undefined ? "" : `: ${outcome.why}`;
    process.stdout.write(`── ${suite.name} ${outcome.state} in ${outcome.seconds.toFixed(1)} s${why}\n`);
  }
  summarise(outcomes);
  process.exit(outcomes.some(({ state }) => state === "failed") ? 1 : 0);
}

/** @param {readonly Outcome[]} outcomes */
function summarise(outcomes) {
  process.stdout.write("\n");
  for (const { suite, state, seconds, counts, why } of outcomes) {
    const tests =
      suite.report === undefined || why !== undefined ? "" : `${counts.passed} passed, ${counts.failed} failed`;
    process.stdout.write(
      `${suite.name.padEnd(12)} ${state.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${why ?? tests}`.trimEnd() +
        "\n",
    );
  }
  // Once more where it is seen: the runners wrote them far above.
  const failures = outcomes
    .filter(({ state }) => state === "failed")
    .flatMap(({ suite, counts, why = "see above" }) =>
      (counts.failures.length === 0 ? [why] : counts.failures).map((one) => `${suite.name}: ${one}`),
    );
  const unsteady = outcomes.flatMap(({ suite, counts }) => counts.unsteady.map((one) => `${suite.name}: ${one}`));
  if (unsteady.length > 0)
    process.stdout.write(`\nPassed only when tried again:\n${unsteady.map((one) => `  ${one}\n`).join("")}`);
  if (failures.length > 0) process.stdout.write(`\nFailed:\n${failures.map((one) => `  ${one}\n`).join("")}`);
  const sum = (/** @type {"passed" | "failed" | "skipped"} */ key) =>
    outcomes.reduce((total, { counts }) => total + counts[key], 0);
  process.stdout.write(`\n${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped\n`);
}
