import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { WorkerProcessOptions } from "@rbee/contract";
import type { ModelFacts } from "../engine/engine.ts";

/** A whole model may have hundreds of gigabytes: so many pieces of it, evenly spread, stand for it. */
const samples = 256;
const sampleBytes = 16 * 1024;
const splitName = /-00001-of-(\d{5})\.gguf$/u;

/** Every file of a model: its parts follow the first by number. */
function filesOf(path: string): string[] {
  const parts = splitName.exec(path)?.[1];
  if (parts === undefined) return [path];
  const total = Number(parts);
  const numbered = (number: number) => `-${String(number).padStart(5, "0")}-of-${parts}.gguf`;
  return Array.from({ length: total }, (_, index) => path.replace(splitName, numbered(index + 1)));
}

function addFile(hash: ReturnType<typeof createHash>, path: string): void {
  const file = openSync(path, "r");
  try {
    const { size, mtimeMs } = fstatSync(file);
    hash.update(`${size} ${mtimeMs}\n`);
    const piece = Buffer.alloc(sampleBytes);
    const step = Math.max(sampleBytes, Math.floor(size / samples));
    for (let at = 0; at < size; at += step) {
      const read = readSync(file, piece, 0, sampleBytes, at);
      hash.update(piece.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

/** What of the options says where a worker is rather than what its state looks like. */
const places = new Set([
  "worker_id",
  "socket_path",
  "model_path",
  "device",
  "gpu_layers",
  "threads",
  "queue_limit",
  "speculation",
  "parking",
  // What came of these two stands in the facts.
  "context_length",
  "extend_context",
]);

/**
 * 32 bytes that are the same only where a saved state means the same: of the model's files, of how the engine was set
 * up, and of its release. Throws what the file system throws.
 */
export function bindingOf(options: WorkerProcessOptions, facts: ModelFacts): Buffer {
  const hash = createHash("sha256");
  for (const path of filesOf(options.model_path)) addFile(hash, path);
  const settings = Object.entries(options)
    .filter(([name, value]) => !places.has(name) && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const { release, backend, slots, contextLength } = facts;
  return hash.update(JSON.stringify({ settings, release, backend, slots, contextLength })).digest();
}
