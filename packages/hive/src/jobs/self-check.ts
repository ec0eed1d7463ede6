import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { narrate } from "@rbee/jobs";
import type { Hardware } from "../hardware/index.ts";
import type { ModelCatalogue } from "../models/catalogue.ts";
import type { ModelDatabase } from "../models/database.ts";
import { freeBytes } from "../models/download/disk-space.ts";

export interface SelfCheckOptions {
  readonly home: string;
  readonly hardware: Hardware;
  readonly catalogue: ModelCatalogue;
  readonly database: ModelDatabase;
}

interface Finding {
  readonly check: string;
  /** `warning`: the hive works all the same. */
  readonly state: "ok" | "warning" | "failed";
  readonly message: string;
}

const littleBytes = 1024 ** 3;

function folder(home: string): Finding {
  const path = join(home, `.check-${process.pid}`);
  try {
    writeFileSync(path, "", { mode: 0o600 });
    rmSync(path);
    return { check: "folder", state: "ok", message: "The hive's folder can be written to." };
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
    return { check: "folder", state: "failed", message: `The hive's folder cannot be written to (${String(code)}).` };
  }
}

async function disk(home: string): Promise<Finding> {
  const free = await freeBytes(home);
  if (free === null)
    return { check: "disk", state: "warning", message: "The system does not say how full the disk is." };
  const message = `${Math.floor(free / 1024 ** 2)} MB of disk space are free.`;
  return { check: "disk", state: free < littleBytes ? "warning" : "ok", message };
}

async function models(catalogue: ModelCatalogue): Promise<Finding> {
  const { length } = await catalogue.scan();
  const broken = catalogue.broken.map((model) => `${model.id}: ${model.broken}`);
  if (broken.length > 0) return { check: "models", state: "warning", message: `Not usable: ${broken.join("; ")}.` };
  return { check: "models", state: "ok", message: `${length} model${length === 1 ? "" : "s"} can be started.` };
}

async function backends(hardware: Hardware): Promise<Finding> {
  const { backends: found } = await hardware.inventory();
  return found.length === 0
    ? { check: "backends", state: "failed", message: "The engine can use no device of this machine." }
    : { check: "backends", state: "ok", message: `Workers can run on ${found.join(", ")}.` };
}

function database(file: ModelDatabase): Finding {
  return file.isSound()
    ? { check: "database", state: "ok", message: "hive.db is sound." }
    : { check: "database", state: "failed", message: "hive.db is damaged; start the hive anew to begin another." };
}

/**
 * Checks that this hive can do its work, as a job.
 * @throws {RbeeError} `internal_error` naming what failed.
 */
export async function selfCheck(options: SelfCheckOptions): Promise<Record<string, unknown>> {
  const { home, hardware, catalogue } = options;
  const findings = [
    folder(home),
    await disk(home),
    database(options.database),
    await backends(hardware),
    await models(catalogue),
  ];
  for (const { check, state, message } of findings)
    narrate({ action: check, level: state === "ok" ? "info" : state === "warning" ? "warn" : "error", message });
  const failed = findings.filter(({ state }) => state === "failed");
  if (failed.length > 0)
    throw new RbeeError("internal_error", failed.map(({ message }) => message).join(" "), {
      details: { checks: findings },
    });
  return { checks: findings };
}
