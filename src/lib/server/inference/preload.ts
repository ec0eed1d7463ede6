import { toRbeeError, type RbeeError } from "@rbee/contract";
import type { Logger } from "pino";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { Placement, WorkerView } from "./placement.ts";

const lookEveryMs = 1_000;

/** How loading a model at the start went. */
export interface PreloadState {
  readonly state: "waiting" | "loading" | "loaded" | "failed";
  readonly at: number;
  readonly error: RbeeError | null;
}

export interface PreloadOptions {
  hives: () => readonly HiveState[];
  /** The models that are to be loaded. */
  models: () => readonly string[];
  /** Ids of the hives over which the household spreads a model, by model. */
  spreads: () => ReadonlyMap<string, readonly string[]>;
  place: (model: string) => Placement;
  refusal: (model: string, placement: Extract<Placement, { kind: "refuse" }>) => RbeeError;
  /** A hive was started again since its last heartbeat, or has been away. */
  returned: (hiveId: string) => void;
  load: (model: string, placement: Extract<Placement, { kind: "load" | "wait" }>) => Promise<WorkerView>;
  log: Logger;
  now: () => number;
}

/** Loads the models that people want ready, when a hive that has or shares them reports for the first time or comes back. */
export interface Preload {
  start(): void;
  stop(): void;
  /** Looks for hives that have come; called by itself once a second. */
  look(): void;
  /** Null for a model that is not to be loaded by itself. */
  state(model: string): PreloadState | null;
}

const isUp = ({ health, capabilities }: HiveState) =>
  (health === "healthy" || health === "degraded") && capabilities !== null;

export function createPreload(options: PreloadOptions): Preload {
  const { hives, models, spreads, place, refusal, returned, load, log, now } = options;
  const states = new Map<string, PreloadState>();
  /** The number of the last heartbeat of each hive that is up; it counts from 0 again when a hive was started again. */
  const up = new Map<string, number>();
  /** Hives that have been up before. */
  const known = new Set<string>();
  const createdAt = now();
  let timer: NodeJS.Timeout | undefined;

  const note = (model: string, state: PreloadState["state"], error: RbeeError | null = null) => {
    states.set(model, { state, at: now(), error });
    if (error !== null)
      log.warn({ model, err: error.message, code: error.code }, "a model was not loaded at the start");
  };

  const attempt = async (model: string): Promise<void> => {
    if (states.get(model)?.state === "loading") return;
    const placement = place(model);
    switch (placement.kind) {
      case "use":
        note(model, "loaded");
        return;
      case "later":
        note(
          model,
          "failed",
          refusal(model, { ...placement, kind: "refuse", error: "insufficient_ram", soon: false, memory: undefined }),
        );
        return;
      case "refuse":
        if (!placement.soon) note(model, "failed", refusal(model, placement));
        // What it waits for is no arrival of a hive, as when one that has come has not told its models yet.
        else if (states.get(model)?.state !== "waiting") note(model, "waiting");
        return;
      default:
        note(model, "loading");
        try {
          await load(model, placement);
          note(model, "loaded");
        } catch (error) {
          note(model, "failed", toRbeeError(error));
        }
    }
  };

  const look = () => {
    const wanted = models();
    const across = spreads();
    const due = new Set(wanted.filter((model) => states.get(model)?.state === "waiting"));
    for (const hive of hives()) {
      const { hiveId, capabilities, heartbeat } = hive;
      if (!isUp(hive) || capabilities === null || heartbeat === null) {
        up.delete(hiveId);
        continue;
      }
      const before = up.get(hiveId);
      up.set(hiveId, heartbeat.seq);
      if (before !== undefined && heartbeat.seq >= before) continue;
      if (before !== undefined || known.has(hiveId)) returned(hiveId);
      known.add(hiveId);
      const here = new Set(capabilities.models.map(({ id }) => id));
      for (const model of wanted) if (here.has(model) || across.get(model)?.includes(hiveId)) due.add(model);
    }
    for (const model of due) void attempt(model);
  };

  return {
    start() {
      timer = setInterval(look, lookEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
    },
    look,
    state: (model) =>
      states.get(model) ?? (models().includes(model) ? { state: "waiting", at: createdAt, error: null } : null),
  };
}
