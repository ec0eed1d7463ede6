import type { ModelSettings, ModelSettingsUpdate, WorkerSpawn } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";
import type { ModelDecisions } from "./store.ts";

/** What the household decided about its models. Models may be named by an alias everywhere. */
export interface Models {
  /** @throws {RbeeError} `model_not_found`. */
  settings(name: string): ModelSettings;
  /**
   * Changes what was decided, and tells the hives that have the model what concerns them. Workers that run keep what
   * they were started with.
   * @throws {RbeeError} `model_not_found`; `invalid_request` for what the model cannot be run with; `already_exists`
   * when an alias means another model.
   */
  update(actor: Person, name: string, change: ModelSettingsUpdate): Promise<ModelSettings>;
}

/** The same, with what other domains of the queen need. Everything but `update` is answered from memory. */
export interface ModelsService extends Models {
  /** The id of the model that a name means; the name itself when it means none. */
  resolve(name: string): string;
  aliasesOf(modelId: string): readonly string[];
  /** Whether a model is pinned, by the household or by a hive that has it. */
  isPinned(modelId: string): boolean;
  decisions(modelId: string): ModelDecisions;
  /** What a worker of this model is started with, beside where. */
  spawnOptions(modelId: string): Omit<WorkerSpawn, "model" | "backend" | "device">;
  /** The hives that models are spread over, the main one first, by model; those that run on one alone are not in it. */
  spreads(): ReadonlyMap<string, readonly string[]>;
  /** The models that are to be loaded when the queen starts. */
  preloads(): readonly string[];
  /** Begins to tell hives that missed a change. */
  start(): void;
  stop(): void;
}
