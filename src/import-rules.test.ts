import { ESLint } from "eslint";
import { describe, expect, it } from "vitest";
import { program } from "#lib/server/program/index.ts";

const eslint = new ESLint({ cwd: program.root });

async function complaints(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `${program.root}/${file}` });
  return (result?.messages ?? []).filter(({ ruleId }) => ruleId?.endsWith("restricted-imports")).map((m) => m.message);
}

const broken: [file: string, code: string][] = [
  ["packages/contract/src/new.ts", 'import "pino";'],
  ["packages/contract/src/new.ts", 'import "node:fs";'],
  ["packages/settings/src/new.ts", 'import "@rbee/hive";'],
  ["packages/jobs/src/new.ts", 'import "@rbee/hive";'],
  ["packages/hive/src/new.ts", 'import "@rbee/worker";'],
  ["packages/hive/src/new.ts", 'import "../../worker/src/main.ts";'],
  ["packages/worker/src/new.ts", 'import "@rbee/hive";'],
  ["packages/worker/src/api/new.ts", 'import "node-llama-cpp";'],
  ["packages/cli/src/new.ts", 'import "@rbee/worker";'],
  ["packages/cli/src/new.ts", 'import "ssh2";'],
  ["scripts/new.js", 'import "@rbee/hive";'],
  ["src/routes/new.ts", 'import "#lib/server/db/index.ts";'],
  ["src/routes/new.ts", 'import "drizzle-orm";'],
  ["src/routes/new.ts", 'import "#lib/server/hives/registry.ts";'],
  ["src/routes/new.ts", 'import "lucia";'],
  ["src/lib/components/new.ts", 'import "#lib/server/queen.ts";'],
  ["src/lib/state/new.ts", 'import "#lib/server/hives/index.ts";'],
  ["src/lib/server/hives/new.ts", 'import "#lib/server/inference/chat.ts";'],
  ["src/lib/server/hives/new.ts", 'import "../inference/chat.ts";'],
  ["src/lib/server/hives/new.ts", 'import { createUsage } from "#lib/server/usage/index.ts"; createUsage();'],
  ["src/lib/server/hives/new.ts", 'import "lucia";'],
  ["src/lib/server/hives/new.ts", 'import "@rbee/hive";'],
  ["src/lib/server/new.ts", 'import "./utils/text.ts";'],
];

const fine: [file: string, code: string][] = [
  ["packages/contract/src/new.ts", 'import "zod"; import "./errors.ts";'],
  ["packages/hive/src/new.ts", 'import "@rbee/contract"; import "./models/catalogue.ts";'],
  ["packages/worker/src/engine/new.ts", 'import "node-llama-cpp";'],
  ["src/lib/server/accounts/sessions/new.ts", 'import "lucia"; import "../people.ts";'],
  ["src/lib/server/hives/new.ts", 'import "#lib/server/db/index.ts"; import "./registry.ts";'],
  ["src/lib/server/queen.ts", 'import { createUsage } from "#lib/server/usage/index.ts"; createUsage();'],
];

describe("the import rules of ARCHITECTURE.md", { timeout: 30_000 }, () => {
  it.each(broken)("in %s refuse %s", async (file, code) => {
    expect(await complaints(file, code)).toHaveLength(1);
  });

  it.each(fine)("in %s allow %s", async (file, code) => {
    expect(await complaints(file, code)).toEqual([]);
  });
});
