import { RbeeError, type FleetModel, type PlacementExplanation } from "@rbee/contract";
import type { Logger } from "pino";
import { fleetModels, urlBetween, type HiveState, type HivesService } from "#lib/server/hives/index.ts";
import type { ModelsService } from "#lib/server/models/index.ts";
import { createBreaker } from "./breaker.ts";
import type { Person } from "#lib/server/accounts/index.ts";
import { explain, type ExplainQuery } from "./explanation.ts";
import { createFreshWorkers, fleetView, type FreshWorkers } from "./fleet-view.ts";
import type { InFlight } from "./in-flight.ts";
import { createLoading } from "./loading.ts";
import { createMemoryLine } from "./memory-line.ts";
import { place, type FleetView } from "./placement.ts";
import { createPreload } from "./preload.ts";
import { createEnsureReady, refusal, type EnsureReady } from "./ready.ts";
import { createSpawning, type Spawning } from "./spawning.ts";
import { createTenure } from "./tenure.ts";
import type { Readiness } from "./types.ts";

export interface SupplyOptions {
  hives: Pick<HivesService, "registry" | "contact">;
  models: Pick<
    ModelsService,
    "resolve" | "aliasesOf" | "isPinned" | "decisions" | "spawnOptions" | "preloads" | "spreads"
  >;
  inFlight: InFlight;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  loadWaitMs: number;
}

/** Brings workers to requests: where they are, where they could be, and how they get there. */
export interface Supply {
  fleet(): FleetView;
  ensureReady: EnsureReady;
  /** Starts workers that a person asked for. */
  readonly spawning: Spawning;
  readonly readiness: Readiness;
  /** What is known of workers before their hives say so. */
  readonly fresh: FreshWorkers;
  /** The models of the household. */
  models(): FleetModel[];
  /** A worker has been given a request. */
  asked(workerId: string): void;
  /** @throws {RbeeError} `model_not_found`, `node_not_found`. */
  explain(person: Person, name: string, query: ExplainQuery): PlacementExplanation;
  stop(): void;
}

/** The household as if nobody else ran servers on its machines. */
const withoutOthers = ({ hives, ...rest }: FleetView): FleetView => ({
  ...rest,
  hives: hives.map((hive) => ({ ...hive, workers: hive.workers.filter(({ external }) => external === undefined) })),
});

export function createSupply(options: SupplyOptions): Supply {
  const { hives, inFlight, log, now, loadWaitMs } = options;
  const decided = options.models;
  const monotonic = () => performance.now();
  const fresh = createFreshWorkers(now);
  const tenure = createTenure(monotonic);
  const line = createMemoryLine(monotonic, (workerId) => tenure.readyForMs(workerId));
  // What failed with other settings is worth another try.
  const breaker = createBreaker(
    now,
    (model) => `${model} ${JSON.stringify([decided.spawnOptions(model), decided.spreads().get(model)])}`,
  );
  const spawnOptions = (model: string) => decided.spawnOptions(model);

  const get = (hiveId: string): HiveState => {
    const hive = hives.registry.find(hiveId);
    if (hive === undefined) throw new RbeeError("node_not_found", "This hive was just removed.");
    return hive;
  };
  const client = (hiveId: string) => hives.contact.client(get(hiveId));
  const loading = createLoading({
    hive: (hiveId) => ({ client: client(hiveId), name: get(hiveId).name }),
    urlBetween: (from, to) => urlBetween(get(from), get(to)),
    fresh,
    tenure,
    breaker,
    spawnOptions,
    log,
  });
  const models = () =>
    fleetModels(hives.registry.all(), (id) => ({
      aliases: [...decided.aliasesOf(id)],
      pinned: decided.isPinned(id),
    }));
  const modelIds = () => models().map(({ id }) => id);
  const loadProgress = (id: string) => models().find((model) => model.id === id)?.load_progress ?? null;

  const notes = {
    inFlight,
    fresh,
    isPinned: (model: string) => decided.isPinned(model),
    isFresh: (workerId: string) => tenure.isFresh(workerId),
    yields: (workerId: string) => line.yields(workerId),
    reserved: (hiveId: string) => loading.reserved(hiveId),
  };
  const fleet = (): FleetView => ({
    hives: fleetView(hives.registry.all(), notes),
    across: decided.spreads(),
  });
  const requestFor = (model: string) => ({ model, options: spawnOptions(model), failing: breaker.open(model) });

  const ensureReady = createEnsureReady({
    fleet,
    models: modelIds,
    progress: loadProgress,
    spawnOptions,
    loading,
    breaker,
    line,
    inFlight,
    loadWaitMs,
  });
  const preload = createPreload({
    hives: () => hives.registry.all(),
    models: () => decided.preloads(),
    spreads: () => decided.spreads(),
    // Nobody asked for it yet, so nobody makes room for it.
    place: (model) => place({ ...requestFor(model), mayEvict: false }, withoutOthers(fleet())),
    refusal: (model, placement) => refusal({ model }, placement, modelIds()),
    returned: (hiveId) => {
      fresh.forgetHive(hiveId);
    },
    load: (model, placement) => loading.share(model, placement),
    log,
    now,
  });
  preload.start();

  return {
    fleet,
    ensureReady,
    fresh,
    models,
    spawning: createSpawning({
      fleet,
      client,
      fresh,
      tenure,
      breaker,
      loading,
      models: decided,
      refusal: (request, placement) => refusal(request, placement, modelIds()),
    }),
    readiness: {
      outlook(name, where) {
        const model = decided.resolve(name);
        const placement = place({ ...where, ...requestFor(model) }, fleet());
        switch (placement.kind) {
          case "use":
            return { kind: "ready", hiveId: placement.worker.hiveId };
          case "wait":
            return { kind: "coming", hiveId: placement.worker.hiveId };
          case "load":
          case "later":
            return { kind: "startable", hiveId: placement.hive.hiveId };
          case "refuse":
            return {
              kind: "refused",
              error: refusal({ ...where, model }, placement, modelIds()),
              soon: placement.soon,
            };
        }
      },
      ready: ({ model, where, waitMs, signal }) =>
        ensureReady(decided.resolve(model), signal, new Set(), { where, waitMs }),
      loadProgress: (model) => loadProgress(decided.resolve(model)),
    },
    asked: (workerId) => {
      tenure.asked(workerId);
    },
    explain(person, name, query) {
      const model = decided.resolve(name);
      return explain({
        person,
        request: requestFor(model),
        query,
        fleet: fleet(),
        known: modelIds(),
        decisions: decided.decisions(model),
        preload: preload.state(model),
        breaker: (hiveId) => breaker.state(model, hiveId),
      });
    },
    stop() {
      preload.stop();
    },
  };
}
