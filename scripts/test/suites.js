import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../prepare/root.js";
import { playwrightCounts, vitestCounts } from "./reports.js";
import { extras, prerequisites } from "./prerequisites.js";

/** @typedef {import("./prerequisites.js").Prerequisite} Prerequisite */
/** @typedef {import("./prerequisites.js").Extra} Extra */
/** @typedef {import("./reports.js").Counts} Counts */

/**
 * One part of `npm test`.
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} title
 * @property {readonly (readonly string[])[]} commands Run in order with this Node until one fails.
 * @property {string} [files] Glob of its test files.
 * @property {readonly Prerequisite[]} [needs] Without these it cannot run at all.
 * @property {readonly Prerequisite[]} [wants] Without these it runs, and skips some of its tests.
 * @property {readonly Extra[]} [uses] The same, also in CI: they take longer to get than all tests together.
 * @property {Record<string, string>} [env]
 * @property {{ file: string; read: (report: unknown) => Counts }} [report] Where its runner writes its outcome.
 */

/**
 * In CI, where the machine is shared, a test that fails is tried once more. What passes only then is named at the end:
 * it is a defect too, of the test or of what it tests.
 */
const again = ["true", "1"].includes(process.env["CI"] ?? "");

/**
 * The path of a program that an npm package brings.
 * @param {string} name
 * @param {string} [bin]
 */
function program(name, bin = name) {
  const folder = join(root, "node_modules", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin]);
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string} files
 * @param {string} reports
 * @param {Pick<Suite, "wants" | "uses">} [others]
 * @returns {Suite}
 */
const vitest = (name, title, files, reports, others = {}) => ({
  name,
  title,
  files,
  ...others,
  commands: [
    [
      ...[program("vitest"), "run", "--project", name, "--reporter=default", "--reporter=json"],
      `--outputFile.json=${join(reports, `${name}.json`)}`,
      ...(again ? ["--retry", "1"] : []),
    ],
  ],
  report: { file: join(reports, `${name}.json`), read: vitestCounts },
});

/**
 * Every suite, in the order in which they run.
 * @param {string} reports An existing folder for the runners' reports.
 * @returns {Suite[]}
 */
export function allSuites(reports) {
  const { chromium, sshd, ip, busybox } = prerequisites;
  const { llama } = extras;
  return [
    {
      name: "lint",
      title: "Lint and formatting",
      commands: [
        [program("eslint"), "."],
        [program("prettier"), "--check", "--log-level", "warn", "."],
        ["scripts/docs.js", "--check"],
      ],
    },
    {
      name: "check",
      title: "Types",
      commands: [
        [program("@sveltejs/kit", "svelte-kit"), "sync"],
        [program("svelte-check"), "--fail-on-warnings"],
        [program("typescript", "tsc"), "--noEmit", "-p", "tsconfig.node.json"],
      ],
    },
    { name: "build", title: "Build", commands: [["scripts/build.js"]] },
    vitest("unit", "Unit tests", "{src,packages/*/src}/**/*.test.ts", reports, { uses: [llama] }),
    vitest("integration", "Integration tests (real processes)", "tests/integration/**/*.test.ts", reports, {
      wants: [sshd, ip, busybox],
      uses: [llama],
    }),
    vitest("conformance", "Conformance tests (public clients)", "tests/conformance/**/*.test.ts", reports),
    {
      name: "e2e",
      title: "Browser tests",
      files: "tests/e2e/**/*.spec.ts",
      needs: [chromium],
      commands: [[program("@playwright/test", "playwright"), "test", ...(again ? ["--retries", "1"] : [])]],
      env: { PLAYWRIGHT_JSON_OUTPUT_NAME: join(reports, "e2e.json") },
      report: { file: join(reports, "e2e.json"), read: playwrightCounts },
    },
  ];
}
