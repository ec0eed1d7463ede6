import { toRbeeError, type HiveModel } from "@rbee/contract";
import type { Logger } from "pino";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";
import type { ModelDecisions } from "./store.ts";

type Hives = Pick<HivesService, "registry" | "contact">;
/** What hives keep too: without the queen, they refuse to delete a pinned model and know the names. */
type Told = Pick<ModelDecisions, "pinned" | "aliases">;

const isUp = ({ health }: HiveState) => health === "healthy" || health === "degraded";
const limitMs = 10_000;
const againAfterMs = 60_000;

/** Whether a hive knows of its copy what the household decided. */
export function knows(copy: Pick<HiveModel, "pinned" | "aliases">, { pinned, aliases }: Told): boolean {
  return copy.pinned === pinned && copy.aliases.toSorted().join(" ") === [...aliases].sort().join(" ");
}

/** Tells hives what was decided about a model that they have. */
export interface Telling {
  /** Tells every hive that has it and does not know; gives one sentence for each that could not be told. */
  tell(modelId: string, decided: Told): Promise<string[]>;
  /** Tells what hives have missed, in the background; one that fails is left alone for a minute. */
  catchUp(decisions: ReadonlyMap<string, Told>): void;
}

export function createTelling(hives: Hives, log: Logger): Telling {
  /** When a hive that could not be told is tried again. */
  const againAt = new Map<string, number>();
  const busy = new Set<string>();

  const tellOne = async (hive: HiveState, modelId: string, { pinned, aliases }: Told): Promise<string | null> => {
    try {
      const body = { pinned, aliases: [...aliases] };
      await hives.contact.client(hive).updateModel({ params: { id: modelId }, body, timeoutMs: limitMs });
      return null;
    } catch (thrown) {
      const { message } = toRbeeError(thrown);
      log.warn({ hive: hive.name, model: modelId, err: message }, "a hive could not be told about a model");
      return message;
    }
  };

  const ignorant = (hive: HiveState, modelId: string, decided: Told) =>
    hive.capabilities?.models.some((copy) => copy.id === modelId && !knows(copy, decided)) === true;

  return {
    async tell(modelId, decided) {
      const notes = await Promise.all(
        hives.registry
          .all()
          .filter((hive) => ignorant(hive, modelId, decided))
          .map(async (hive) => {
            if (!isUp(hive)) return `${hive.name} is not up; it is told when it comes back.`;
            const problem = await tellOne(hive, modelId, decided);
            if (problem !== null) return `${hive.name} could not be told: ${problem}`;
            await hives.contact.ask(hive).catch(() => undefined);
            return null;
          }),
      );
      return notes.filter((note) => note !== null);
    },
    catchUp(decisions) {
      for (const hive of hives.registry.all()) {
        const { hiveId } = hive;
        if (!isUp(hive) || busy.has(hiveId) || performance.now() < (againAt.get(hiveId) ?? 0)) continue;
        const missed = [...decisions].filter(([modelId, decided]) => ignorant(hive, modelId, decided));
        if (missed.length === 0) continue;
        busy.add(hiveId);
        void (async () => {
          const problems = await Promise.all(missed.map(([id, decided]) => tellOne(hive, id, decided)));
          if (problems.some((problem) => problem !== null)) againAt.set(hiveId, performance.now() + againAfterMs);
          await hives.contact.ask(hive).catch(() => undefined);
        })().finally(() => busy.delete(hiveId));
      }
    },
  };
}
