import { RbeeError, type HiveModel, type ModelSettings, type ModelSettingsUpdate } from "@rbee/contract";
import type { Logger } from "pino";
import { requireAdmin } from "#lib/server/accounts/index.ts";
import type { Db } from "#lib/server/db/index.ts";
import { externalModels, type HivesService } from "#lib/server/hives/index.ts";
import { refuseImpossible, refuseStrangeHives, trainedContext } from "./limits.ts";
import { modelNames, type ModelNames } from "./names.ts";
import { createDecisionStore, noDecisions, type ModelDecisions } from "./store.ts";
import { spreadNotes } from "./spread-notes.ts";
import { createTelling } from "./telling.ts";
import type { ModelsService } from "./types.ts";

const catchUpEveryMs = 2_000;

export interface ModelsOptions {
  db: Db;
  hives: Pick<HivesService, "registry" | "contact">;
  log: Logger;
}

/** The error about a model that nobody has; it lists those that exist. */
export function modelNotFound(model: string, known: readonly string[], reasons: readonly string[]): RbeeError {
  return new RbeeError("model_not_found", `No hive of this household has the model ${model}.`, {
    param: "model",
    details: { models: known, reasons },
    suggestion:
      known.length === 0
        ? "Put a GGUF model into a hive's models folder."
        : `It has: ${known.slice(0, 20).join(", ")}.`,
  });
}

/** The decisions after a change; what the change leaves out stays. */
function changed(before: ModelDecisions, change: ModelSettingsUpdate, modelId: string): ModelDecisions {
  const or = <T>(value: T | undefined, else_: T): T => (value === undefined ? else_ : value);
  return {
    contextLength: or(change.context_length, before.contextLength),
    extendContext: or(change.extend_context, before.extendContext),
    slots: or(change.slots, before.slots),
    gpuLayers: or(change.gpu_layers, before.gpuLayers),
    flashAttention: or(change.flash_attention, before.flashAttention),
    kvType: or(change.kv_type, before.kvType),
    engine: or(change.engine, before.engine),
    idleStopS: or(change.idle_stop_s, before.idleStopS),
    preload: or(change.preload, before.preload),
    pinned: or(change.pinned, before.pinned),
    across: or(change.across, before.across),
    aliases: [...new Set(or(change.aliases, [...before.aliases]))].filter((alias) => alias !== modelId).sort(),
  };
}

const workerFields = [
  "contextLength",
  "extendContext",
  "slots",
  "gpuLayers",
  "flashAttention",
  "kvType",
  "engine",
  "idleStopS",
  "across",
] as const;

/** @see ModelsService */
export function createModels({ db, hives, log }: ModelsOptions): ModelsService {
  const store = createDecisionStore(db);
  const decided = store.load();
  const telling = createTelling(hives, log);
  let timer: NodeJS.Timeout | undefined;

  const copiesOf = (modelId: string): HiveModel[] =>
    hives.registry.all().flatMap((hive) => hive.capabilities?.models.filter(({ id }) => id === modelId) ?? []);

  // Put together again only when a hive told something new or somebody decided something.
  let names: ModelNames | undefined;
  let madeOf: readonly unknown[] = [];
  const current = (): ModelNames => {
    const sources = hives.registry.all();
    if (names === undefined || sources.length !== madeOf.length || sources.some((s, i) => s.capabilities !== madeOf[i])) {
      madeOf = sources.map(({ capabilities }) => capabilities);
      names = modelNames({
        models: sources.flatMap(({ capabilities }) => capabilities?.models ?? []),
        decisions: decided,
      });
    }
    return names;
  };
  const knownIds = () => [
    ...new Set(hives.registry.all().flatMap((hive) => hive.capabilities?.models.map(({ id }) => id) ?? [])),
  ];
  const existing = (name: string): string => {
    const id = current().modelOf(name);
    const [served] = externalModels(hives.registry.all()).filter(({ model }) => model === (id ?? name));
    if (served?.external !== undefined && !knownIds().includes(served.model))
      throw new RbeeError(
        "invalid_request",
        `${served.model} is served by ${served.external.name}, which rbee neither starts nor stops: there is nothing to set.`,
        { param: "model", suggestion: `What it runs with is set in ${served.external.name} itself.` },
      );
    if (id === null) throw modelNotFound(name, knownIds(), []);
    return id;
  };
  /** Where nobody decided, what the hives say themselves. */
  const decisionsOf = (modelId: string): ModelDecisions =>
    decided.get(modelId) ?? {
      ...noDecisions,
      pinned: current().isPinned(modelId),
      aliases: current().aliasesOf(modelId),
    };

  const refuseTakenNames = (modelId: string, aliases: readonly string[]) => {
    for (const alias of aliases) {
      const means = current().modelOf(alias);
      if (means === null || means === modelId) continue;
      throw new RbeeError(
        "already_exists",
        means === alias ? `${alias} is the id of a model.` : `${alias} is another name of ${means} already.`,
        { param: "aliases", details: { alias, model: means }, suggestion: "Take another name." },
      );
    }
  };

  const describe = (modelId: string, notes: readonly string[]): ModelSettings => {
    const decisions = decisionsOf(modelId);
    const { contextLength, extendContext, slots, gpuLayers, idleStopS, preload, pinned, aliases, across } = decisions;
    const trained = trainedContext(copiesOf(modelId));
    const beyond =
      contextLength !== null && trained !== null && contextLength > trained
        ? [`${modelId} was trained for ${trained} tokens; with ${contextLength} its answers get worse.`]
        : [];
    return {
      model: modelId,
      context_length: contextLength,
      extend_context: extendContext,
      slots,
      gpu_layers: gpuLayers,
      flash_attention: decisions.flashAttention,
      kv_type: decisions.kvType,
      engine: decisions.engine,
      idle_stop_s: idleStopS,
      preload,
      pinned,
      aliases: [...aliases],
      across: [...across],
      trained_context_length: trained,
      notes: [...beyond, ...spreadNotes(modelId, across, hives.registry.all()), ...notes],
    };
  };

  /** One sentence about workers that were started before a change. */
  const former = (modelId: string): string[] => {
    const workers = hives.registry
      .all()
      .flatMap((hive) => (hive.heartbeat?.workers ?? []).filter(({ model, state }) => model === modelId && state !== "failed"));
    if (workers.length === 0) return [];
    const [are, keep] = workers.length === 1 ? ["1 worker runs", "it keeps"] : [`${workers.length} workers run`, "they keep"];
    return [`${are} now and ${keep} what was set before; the change takes effect with the next worker.`];
  };

  return {
    settings: (name) => describe(existing(name), []),
    async update(actor, name, change) {
      requireAdmin(actor);
      const modelId = existing(name);
      const before = decisionsOf(modelId);
      const after = changed(before, change, modelId);
      refuseImpossible(modelId, after, copiesOf(modelId));
      refuseTakenNames(modelId, after.aliases);
      if (change.across !== undefined) refuseStrangeHives(after.across, (id) => hives.registry.find(id) !== undefined);
      store.save(modelId, after);
      decided.set(modelId, after);
      names = undefined;
      log.info({ model: modelId, by: actor.user.name, ...change }, "model settings changed");
      const notes = workerFields.some((field) => before[field] !== after[field]) ? former(modelId) : [];
      return describe(modelId, [...notes, ...(await telling.tell(modelId, after))]);
    },
    resolve: (name) => current().modelOf(name) ?? name,
    aliasesOf: (modelId) => current().aliasesOf(modelId),
    isPinned: (modelId) => current().isPinned(modelId),
    decisions: decisionsOf,
    spawnOptions(modelId) {
      const decisions = decided.get(modelId) ?? noDecisions;
      const { contextLength, extendContext, slots, gpuLayers, flashAttention, kvType, engine, idleStopS } = decisions;
      return {
        ...(contextLength === null ? {} : { context_length: contextLength }),
        ...(extendContext ? { extend_context: true } : {}),
        ...(slots === null ? {} : { slots }),
        ...(gpuLayers === null ? {} : { gpu_layers: gpuLayers }),
        ...(flashAttention === null ? {} : { flash_attention: flashAttention }),
        ...(kvType === null ? {} : { kv_type: kvType }),
        ...(engine === null ? {} : { engine }),
        ...(idleStopS === null ? {} : { idle_stop_s: idleStopS }),
      };
    },
    spreads: () => new Map([...decided].flatMap(([id, { across }]) => (across.length > 1 ? [[id, across]] : []))),
    preloads: () => [...decided].filter(([, { preload }]) => preload).map(([modelId]) => modelId),
    start() {
      timer = setInterval(() => {
        telling.catchUp(decided);
      }, catchUpEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
    },
  };
}
