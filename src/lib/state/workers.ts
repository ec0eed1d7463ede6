import type { ErrorBody, FleetHive, WorkerTelemetry } from "@rbee/contract";
import { span } from "#lib/format/times.ts";
import { words } from "#lib/words/index.ts";

/** The page of one worker. */
export const workerHref = (workerId: string) => `/workers/${encodeURIComponent(workerId)}` as const;

/** A worker with the hive that it runs on. */
export interface PlacedWorker {
  readonly hive: FleetHive;
  readonly worker: WorkerTelemetry;
}

/** The worker with this id, wherever it runs; undefined when none does. */
export function findWorker(hives: readonly FleetHive[], workerId: string): PlacedWorker | undefined {
  for (const hive of hives) {
    const worker = hive.workers.find(({ worker_id }) => worker_id === workerId);
    if (worker !== undefined) return { hive, worker };
  }
  return undefined;
}

/** How long a worker has had nothing to do, and when that ends it. Empty when it is not known. */
export function idleText({ state, slots_busy, idle_s, stops_in_s }: WorkerTelemetry): string {
  const say = words.workers;
  if (state === "busy" || (slots_busy ?? 0) > 0) return say.working;
  if (state !== "ready" || idle_s === null) return "";
  const end = stops_in_s === null ? say.neverStops : say.stopsIn(span(stops_in_s * 1_000));
  return idle_s < 1 ? end : `${say.idleFor(span(idle_s * 1_000))}, ${end}`;
}

/** What a worker wrote before it failed, as far as its error tells. */
export function lastLinesOf(error: ErrorBody["error"] | null): string[] {
  const lines = error?.details?.["last_lines"];
  return Array.isArray(lines) ? lines.filter((line): line is string => typeof line === "string") : [];
}
