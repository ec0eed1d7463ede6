import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hiveModelSchema, type Capabilities, type Heartbeat, type HiveModel, type Role } from "@rbee/contract";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { ClientInfo, Person } from "#lib/server/accounts/index.ts";
import { openDatabase, type Db } from "#lib/server/db/index.ts";

export const silentLog = pino({ level: "silent" });

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rbee-queen-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A real database in a file of its own, closed after the test. */
export function temporaryDatabase(): Db {
  const { db, close } = openDatabase(join(temporaryFolder(), "queen.db"));
  onTestFinished(close);
  return db;
}

/** A clock that only the test moves. */
export function testClock(startMs = 1_700_000_000_000) {
  let time = startMs;
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms;
    },
  };
}

export const fromLan: ClientInfo = { address: "192.168.1.20", userAgent: "test", loopback: false };
export const fromHere: ClientInfo = { address: "127.0.0.1", userAgent: "test", loopback: true };

export function person(role: Role = "admin", name = "Ann"): Person {
  const user = { id: randomUUID(), name, role, created_at: 0, last_seen_at: null };
  return { user, via: "key", sessionId: null, keyId: null, lane: null };
}

export const newHiveId = (): string => `hive:${randomUUID()}`;
export const newHiveToken = (): string => randomBytes(32).toString("base64url");

export function heartbeat(hiveId: string, change: Partial<Heartbeat> = {}): Heartbeat {
  return {
    hive_id: hiveId,
    ts: 0,
    seq: 0,
    version: "0.1.0",
    port: 7835,
    capabilities_rev: "1",
    node: { cpu_pct: 10, ram_used_mb: 1_000, ram_total_mb: 16_000, load1: 0.1, gpus: [] },
    workers: [],
    ...change,
  };
}

export function hiveModel(id: string, sizeMb = 4): HiveModel {
  return hiveModelSchema.parse({
    id,
    name: id,
    size_bytes: sizeMb * 1024 * 1024,
    quantization: "Q8_0",
    architecture: "llama",
    parameters: 1_000_000,
    context_length: 1024,
    has_chat_template: true,
  });
}

export function capabilities(hiveId: string, models: HiveModel[]): Capabilities {
  return {
    hive_id: hiveId,
    name: "attic",
    version: "0.1.0",
    build: null,
    os: "linux",
    arch: "x64",
    cpu: { model: null, cores: 4, threads: 8 },
    ram_total_mb: 16_000,
    disk_free_mb: null,
    backends: ["cpu"],
    devices: [{ id: "cpu", backend: "cpu", name: "CPU", vram_total_mb: null, compute_capability: null }],
    engines: ["node-llama-cpp"],
    engine_facts: [],
    models,
    capabilities_rev: "1",
  };
}

/** Waits until something holds, looking again every few milliseconds; fails after `limitMs`. */
export async function eventually<T>(read: () => T | undefined | false, limitMs = 3_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = read();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`it did not happen within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
