import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCodes, type ErrorCode } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../support/process.ts";

/** Where codes are provoked whose tests stand with their subject rather than here. */
const elsewhere: Partial<Record<ErrorCode, string>> = {
  model_in_use: "tests/integration/models.test.ts",
  payload_too_large: "tests/integration/front.test.ts",
  request_cancelled: "tests/integration/faults.test.ts",
  internal_error: "packages/jobs/src/guarantees.test.ts",
};

/** In the catalogue for what is still to come: nothing throws them yet. */
const notYet: readonly ErrorCode[] = ["model_not_allowed", "quiet_hours", "quota_exceeded"];

const filesIn = (folder: string, wanted: RegExp): string[] =>
  readdirSync(join(projectRoot, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => wanted.test(path) && !/(^|\/)(dist|node_modules|testing|test)\//u.test(path))
    .map((path) => readFileSync(join(projectRoot, folder, path), "utf8"));

/** The codes that a test's title begins with: `it("hive_down: …")`, or the first column of its table. */
function codesInTitles(source: string): string[] {
  const titles = [...source.matchAll(/\bit(?:\.\w+)*(?:<[^(]*>)?\([^"`]*?["`]([a-z_]+(?:, [a-z_]+)*): /gu)];
  const later = [...source.matchAll(/\)\(\s*["`]([a-z_]+(?:, [a-z_]+)*): /gu)];
  const told = [...source.matchAll(/\bcode: "([a-z_]+)"/gu)];
  return [...titles, ...later, ...told].flatMap(([, codes = ""]) => codes.split(", "));
}

describe("the catalogue of errors", () => {
  const provoked = new Set(filesIn("tests/integration/faults", /\.test\.ts$/u).flatMap(codesInTitles));

  it.each(errorCodes.filter((code) => !notYet.includes(code)))("%s is provoked by a test", (code) => {
    const file = elsewhere[code];
    if (file === undefined) expect([...provoked]).toContain(code);
    else if (code === "request_cancelled") expect(readFileSync(join(projectRoot, file), "utf8")).toContain("499");
    else expect(readFileSync(join(projectRoot, file), "utf8")).toContain(`"${code}"`);
  });

  it("holds nothing that a test should provoke by now", () => {
    const sources = [...filesIn("src", /(?<!\.test)\.ts$/u), ...filesIn("packages", /src\/.*(?<!\.test)\.ts$/u)];
    for (const code of notYet)
      expect([code, sources.filter((source) => source.includes(`RbeeError("${code}"`)).length]).toEqual([code, 0]);
  });
});
