import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { inParallel, narrate, step } from "@rbee/jobs";
import { sql } from "drizzle-orm";
import type { Person } from "#lib/server/accounts/index.ts";
import { tables, type Db } from "#lib/server/db/index.ts";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { InferenceService } from "#lib/server/inference/index.ts";
import { askHives } from "./ask-hives.ts";
import type { Operation } from "./operation.ts";

const demoModel = "bee-tiny";
const gigabyte = 1e9;
/** Below the first the check fails, below the second it warns. Bytes. */
const diskNeeds = { least: 0.2 * gigabyte, comfortable: 2 * gigabyte };

interface Parts {
  db: Db;
  home: string;
  hives: Pick<HivesService, "registry" | "contact">;
  inference: Pick<InferenceService, "chat">;
}

interface Check {
  readonly name: string;
  readonly message: string;
  readonly timeoutMs: number;
  readonly run: (signal: AbortSignal) => unknown;
}

/** Checks that the household works: each check runs to its end whatever becomes of the others. */
export function selfCheck(parts: Parts, person: Person): Operation {
  const checks: readonly Check[] = [
    { name: "database", message: "Writing to the database", timeoutMs: 20_000, run: () => checkDatabase(parts.db) },
    { name: "disk", message: "Looking at the disk", timeoutMs: 10_000, run: () => checkDisk(parts.home) },
    { name: "key_file", message: "Looking at the queen's key", timeoutMs: 10_000, run: () => checkKey(parts.home) },
    { name: "machines", message: "Asking every machine", timeoutMs: 30_000, run: () => askHives(parts.hives) },
    {
      name: "chat",
      message: `Asking ${demoModel} a question`,
      timeoutMs: 120_000,
      run: (signal) => checkChat(parts, person, signal),
    },
  ];
  return {
    subject: "the household",
    timeoutMs: 150_000,
    perform: async () => {
      await inParallel(checks, ({ name, message, timeoutMs, run }) => step(name, { message, timeoutMs }, run));
      return { checks: checks.length };
    },
  };
}

function checkDatabase(db: Db): void {
  const probe = "self-check";
  db.insert(tables.household).values({ key: probe, value: "" }).onConflictDoNothing().run();
  db.delete(tables.household)
    .where(sql`key = ${probe}`)
    .run();
  const { quick_check: verdict } = db.get<{ quick_check: string }>(sql`PRAGMA quick_check(1)`);
  if (verdict !== "ok")
    throw new RbeeError("internal_error", `The database is damaged: ${verdict}`, {
      suggestion: "Stop rbee and put a backup of queen.db in its place.",
    });
  narrate({ action: "database_works", message: "The database can be written and is sound." });
}

async function checkDisk(home: string): Promise<Record<string, unknown>> {
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const words = `${(free / gigabyte).toFixed(1)} GB are free where the queen keeps her data`;
  if (free < diskNeeds.least)
    throw new RbeeError("insufficient_disk", `Only ${words}.`, { suggestion: "Make room on that disk." });
  narrate({
    action: "disk_free",
    level: free < diskNeeds.comfortable ? "warn" : "info",
    message: free < diskNeeds.comfortable ? `Only ${words}.` : `${words}.`,
  });
  return { free_bytes: free };
}

async function checkKey(home: string): Promise<void> {
  const file = join(home, "queen.key");
  const { mode } = await stat(file);
  const others = mode & 0o077;
  if (process.platform !== "win32" && others !== 0)
    throw new RbeeError("internal_error", "Other users of this machine can read queen.key.", {
      suggestion: `Run chmod 600 ${file}`,
    });
  narrate({ action: "key_safe", message: "Only the queen can read her key." });
}

async function checkChat(parts: Parts, person: Person, signal: AbortSignal): Promise<Record<string, unknown>> {
  const { hives, inference } = parts;
  if (!hives.registry.all().some(({ capabilities }) => capabilities?.models.some(({ id }) => id === demoModel))) {
    narrate({ action: "skipped", level: "warn", message: `No machine has ${demoModel}, so no question was asked.` });
    return { skipped: true };
  }
  const startedAt = performance.now();
  const messages = [{ role: "user" as const, content: "Hello" }];
  const whole = await inference.chat(
    person,
    { model: demoModel, messages, max_tokens: 16, temperature: 0, stream: false },
    { requestId: crypto.randomUUID(), lane: "interactive", signal },
  );
  const answer = (await whole.toResponse().json()) as { choices?: { message?: { content?: string } }[] };
  const text = answer.choices?.[0]?.message?.content ?? "";
  if (text.trim() === "") throw new RbeeError("worker_crashed", `${demoModel} gave an empty answer.`);
  const ms = Math.round(performance.now() - startedAt);
  narrate({ action: "answered", message: `${demoModel} answered in ${ms} ms: ${text.trim().split("\n")[0] ?? ""}` });
  return { ms };
}
