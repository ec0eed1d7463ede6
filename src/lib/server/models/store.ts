import { eq } from "drizzle-orm";
import type { KvType, WorkerEngine } from "@rbee/contract";
import { tables, type Db } from "#lib/server/db/index.ts";

const { modelSettings, modelAliases } = tables;

/** What the household decided about one model; null leaves the choice to the hive. */
export interface ModelDecisions {
  readonly contextLength: number | null;
  readonly extendContext: boolean;
  readonly slots: number | null;
  readonly gpuLayers: number | null;
  readonly flashAttention: boolean | null;
  readonly kvType: KvType | null;
  readonly engine: WorkerEngine | null;
  /** Seconds; -1 never. */
  readonly idleStopS: number | null;
  readonly preload: boolean;
  readonly pinned: boolean;
  readonly aliases: readonly string[];
  /** Ids of the hives that share it, its main one first; empty when it runs on one alone, wherever that is. */
  readonly across: readonly string[];
}

/** Nobody decided anything. */
export const noDecisions: ModelDecisions = {
  contextLength: null,
  extendContext: false,
  slots: null,
  gpuLayers: null,
  flashAttention: null,
  kvType: null,
  engine: null,
  idleStopS: null,
  preload: false,
  pinned: false,
  aliases: [],
  across: [],
};

export interface DecisionStore {
  /** Every model about which something was decided. */
  load(): Map<string, ModelDecisions>;
  save(modelId: string, decisions: ModelDecisions): void;
}

export function createDecisionStore(db: Db): DecisionStore {
  return {
    load() {
      const aliases = Map.groupBy(db.select().from(modelAliases).all(), ({ modelId }) => modelId);
      const rows = db.select().from(modelSettings).all();
      return new Map(
        rows.map(({ modelId, ...row }) => [
          modelId,
          { ...row, aliases: (aliases.get(modelId) ?? []).map(({ alias }) => alias).sort() },
        ]),
      );
    },
    save(modelId, { aliases, ...decisions }) {
      const row = { ...decisions, across: [...decisions.across] };
      db.transaction((tx) => {
        tx.insert(modelSettings)
          .values({ modelId, ...row })
          .onConflictDoUpdate({ target: modelSettings.modelId, set: row })
          .run();
        tx.delete(modelAliases).where(eq(modelAliases.modelId, modelId)).run();
        for (const alias of aliases) tx.insert(modelAliases).values({ alias, modelId }).run();
      });
    },
  };
}
