import { relative } from "node:path";
import { root } from "../prepare/root.js";

/**
 * What a test runner found.
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {readonly string[]} failures File, name and first line of the message of what failed.
 * @property {readonly string[]} unsteady The same of what passed only when it was tried again.
 */

/** @param {readonly string[]} messages */
function firstLine(messages) {
  const line = messages[0]?.split("\n").find((each) => each.trim() !== "");
  return line === undefined ? "" : `: ${line.trim()}`;
}

/** @typedef {{ status: string; fullName: string; failureMessages?: string[] }} Test */

/**
 * @param {string} file
 * @param {Test} test
 */
const told = (file, { fullName, failureMessages }) => `${file} › ${fullName}${firstLine(failureMessages ?? [])}`;

/**
 * Reads the JSON report of vitest.
 * @param {unknown} report
 * @returns {Counts}
 */
export function vitestCounts(report) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } =
    /** @type {Record<"numPassedTests" | "numFailedTests" | "numPendingTests" | "numTodoTests", number | undefined> &
     * { testResults?: { name: string; status?: string; message?: string; assertionResults: Test[] }[] }} */ (report);
  const failures = (testResults ?? []).flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name);
    const tests = assertionResults.filter((test) => test.status === "failed");
    if (tests.length === 0 && status === "failed") return [`${file}${firstLine([message ?? ""])}`];
    return tests.map((test) => told(file, test));
  });
  const unsteady = (testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status, failureMessages }) => status === "passed" && (failureMessages ?? []).length > 0)
      .map((test) => told(relative(root, name), test)),
  );
  return {
    passed: numPassedTests ?? 0,
    failed: numFailedTests ?? 0,
    skipped: (numPendingTests ?? 0) + (numTodoTests ?? 0),
    failures,
    unsteady,
  };
}

/**
 * Reads the JSON report of Playwright.
 * @param {unknown} report
 * @returns {Counts}
 */
export function playwrightCounts(report) {
  /**
   * @typedef {{ title: string; file: string; ok: boolean; tests: { status: string }[] }} Spec
   * @typedef {{ specs?: Spec[]; suites?: Group[] }} Group
   */
  const { stats, suites } = /** @type {{ stats: Record<string, number>; suites?: Group[] }} */ (report);
  /** @type {(groups: readonly Group[]) => Spec[]} */
  const specsOf = (groups) => groups.flatMap((group) => [...(group.specs ?? []), ...specsOf(group.suites ?? [])]);
  const specs = specsOf(suites ?? []);
  const named = (/** @type {readonly Spec[]} */ some) => some.map(({ file, title }) => `${file} › ${title}`);
  return {
    passed: (stats["expected"] ?? 0) + (stats["flaky"] ?? 0),
    failed: stats["unexpected"] ?? 0,
    skipped: stats["skipped"] ?? 0,
    failures: named(specs.filter(({ ok }) => !ok)),
    unsteady: named(specs.filter(({ tests }) => tests.some(({ status }) => status === "flaky"))),
  };
}
