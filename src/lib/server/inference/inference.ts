import { RbeeError, toRbeeError, type FleetModel, type HealthTransition, type modelSchema } from "@rbee/contract";
import type { z } from "zod";
import type { Logger } from "pino";
import type { Agent } from "undici";
import { fleetModels, type HiveConnection, type HiveState, type HivesService } from "#lib/server/hives/index.ts";
import { modelNotFound, type ModelsService } from "#lib/server/models/index.ts";
import type { UsageEntry } from "#lib/server/usage/index.ts";
import { answerChat, type ActiveRelay } from "./chat.ts";
import { createFreshWorkers, hiveView } from "./fleet-view.ts";
import { createInFlight } from "./in-flight.ts";
import { createLoading } from "./loading.ts";
import { openWorkers, place, type WorkerView } from "./placement.ts";
import { createWaitingRoom } from "./queue/index.ts";
import { createEnsureReady, refusal } from "./ready.ts";
import { createRequestBoard } from "./request-board.ts";
import { openRequestLog } from "./request-log.ts";
import { createSpawning, type Spawning } from "./spawning.ts";
import type { Inference, Readiness } from "./types.ts";
import { createSendChat } from "./upstream.ts";

const defaultStallMs = 60_000;
/** A hive counts as down after this silence; an answer that still gets bytes is left alone. */
const deadAfterMs = 10_000;
/** Workers come and go without telling those who wait for one. */
const lookAgainMs = 250;

/** A few more than it has slots: the next request is there already when a slot becomes free. */
const seatsAt = (slotsTotal: number | null): number =>
  slotsTotal === null ? Number.POSITIVE_INFINITY : slotsTotal + Math.ceil(slotsTotal / 4);

/** Its last bytes may have come after the last heartbeat of its hive, so it is looked at until it has been silent as long. */
function endWhenSilent(relay: ActiveRelay, hiveName: string): void {
  if (performance.now() - relay.lastByteAt() > deadAfterMs)
    relay.fail(new RbeeError("hive_down", `${hiveName} stopped sending heartbeats.`));
}

export interface InferenceOptions {
  hives: Pick<HivesService, "registry" | "contact" | "onTransition">;
  models: Pick<ModelsService, "resolve" | "aliasesOf" | "isPinned" | "decisions" | "spawnOptions" | "preloads">;
  agent: Agent;
  log: Logger;
  now: () => number;
  loadWaitMs: number;
  /** So many requests may wait for one model. */
  queueLimit: number;
  /** Longest silence of an answer, in milliseconds; a minute unless a test says otherwise. */
  stallMs?: number;
  keyName: (keyId: string) => string | null;
  record: (entry: UsageEntry) => void;
}

export interface InferenceService extends Inference {
  /** Starts workers that a person asked for. */
  readonly spawning: Spawning;
  readonly readiness: Readiness;
  requests(): { running: number; waiting: number };
  /** Ends every answer that is under way with an error event. */
  closeStreams(): void;
}

const toModel = (model: FleetModel): z.infer<typeof modelSchema> => ({
  id: model.id,
  object: "model",
  created: 0,
  owned_by: "rbee",
  aliases: model.aliases,
  meta: { n_ctx_train: model.context_length, n_params: model.parameters, size: model.size_bytes },
  status: { value: model.state },
});

export function createInference(options: InferenceOptions): InferenceService {
  const { hives, agent, log, now, stallMs = defaultStallMs } = options;
  const inFlight = createInFlight();
  const fresh = createFreshWorkers(now);
  const active = new Set<ActiveRelay>();
  /** Requests whose answer has not begun. */
  const waiting = new Set<AbortController>();
  const board = createRequestBoard(() => performance.now());
  let stopping = false;

  const get = (hiveId: string): HiveState => {
    const hive = hives.registry.find(hiveId);
    if (hive === undefined) throw new RbeeError("node_not_found", "This hive was just removed.");
    return hive;
  };
  const connection = (hiveId: string): HiveConnection => hives.contact.connection(get(hiveId));
  const loading = createLoading({
    hive: (hiveId) => ({ client: hives.contact.client(get(hiveId)), name: get(hiveId).name }),
    fresh,
    spawnOptions: (model) => options.models.spawnOptions(model),
    log,
  });
  const models = () =>
    fleetModels(hives.registry.all(), (id) => ({
      aliases: [...options.models.aliasesOf(id)],
      pinned: options.models.isPinned(id),
    }));
  const modelIds = () => models().map((model) => model.id);
  const loadProgress = (id: string) => models().find((model) => model.id === id)?.load_progress ?? null;
  const fleet = () => ({ hives: hives.registry.all().map((hive) => hiveView(hive, inFlight, fresh)) });
  const ensureReady = createEnsureReady({
    fleet,
    models: modelIds,
    progress: loadProgress,
    loading,
    inFlight,
    loadWaitMs: options.loadWaitMs,
  });
  const room = createWaitingRoom<WorkerView>({
    open: (model, avoid, where) =>
      openWorkers(model, fleet(), avoid, where).map((worker) => ({
        worker,
        slots: worker.slotsTotal ?? 1,
        // Counted by what this queen has sent there; what a hive measured is up to a second old.
        freeSlots: seatsAt(worker.slotsTotal) - inFlight.at(worker.workerId),
      })),
    enter: ({ workerId }) => inFlight.enter(workerId),
    limit: options.queueLimit,
    now: () => performance.now(),
  });
  const looking = setInterval(() => {
    room.look();
    for (const relay of active) {
      const hive = hives.registry.find(relay.hiveId);
      if (hive?.health === "down") endWhenSilent(relay, hive.name);
    }
  }, lookAgainMs).unref();
  const send = createSendChat(agent);
  const works = ({ hiveId, workerId }: WorkerView) =>
    hives.registry.find(hiveId)?.heartbeat?.workers.some(
      // One that hangs may have told that it is busy just before; but it cannot compute without the processor.
      (worker) => worker.worker_id === workerId && worker.slots_busy !== 0 && worker.cpu_pct !== 0,
    ) === true;

  hives.onTransition(({ hive_id, name, to }: HealthTransition) => {
    if (to !== "down") return;
    for (const relay of active) if (relay.hiveId === hive_id) endWhenSilent(relay, name);
  });

  const chat: InferenceService["chat"] = async (person, asked, context) => {
    const { requestId, lane, where, seated, signal: client } = context;
    const model = options.models.resolve(asked.model);
    const request = model === asked.model ? asked : { ...asked, model };
    const entry = openRequestLog({
      person,
      keyName: person.keyId === null ? null : options.keyName(person.keyId),
      model: request.model,
      requestId,
      now,
      at: (hiveId) => {
        board.at(requestId, hiveId);
      },
      record: (row) => {
        board.remove(requestId);
        options.record(row);
      },
    });
    // Not AbortSignal.any(): it costs a multiple of this, at every request.
    const ending = new AbortController();
    const onLeft = () => {
      ending.abort();
    };
    if (client.aborted || stopping) ending.abort();
    client.addEventListener("abort", onLeft, { once: true });
    waiting.add(ending);
    board.post({ requestId, person, model: request.model, lane, ending });
    try {
      return await answerChat(
        { ensureReady, connection, send, room, fresh, active, works, stallMs, loadWaitMs: options.loadWaitMs },
        { chat: request, user: person.user, lane, where, signal: ending.signal, requestId, log: entry, seated },
      );
    } catch (thrown) {
      const error = client.aborted
        ? new RbeeError("request_cancelled", "The client went away.")
        : ending.signal.reason instanceof RbeeError
          ? ending.signal.reason
          : stopping
            ? new RbeeError("overloaded", "The queen is stopping.", { retryAfterS: 5 })
            : toRbeeError(thrown);
      if (error.code === "internal_error") log.error({ err: thrown, requestId }, "chat failed");
      entry.end({ error, timings: null, firstTextAt: null });
      throw error;
    } finally {
      waiting.delete(ending);
    }
  };

  return {
    spawning: createSpawning({
      fleet,
      client: (hiveId) => hives.contact.client(get(hiveId)),
      fresh,
      models: options.models,
      refusal: (model, placement) => refusal(model, placement, modelIds()),
    }),
    readiness: {
      outlook(name, where) {
        const model = options.models.resolve(name);
        const placement = place({ ...where, model }, fleet());
        switch (placement.kind) {
          case "use":
            return { kind: "ready", hiveId: placement.worker.hiveId };
          case "wait":
            return { kind: "coming", hiveId: placement.worker.hiveId };
          case "load":
            return { kind: "startable", hiveId: placement.hive.hiveId };
          case "refuse":
            return { kind: "refused", error: refusal(model, placement, modelIds()), soon: placement.soon };
        }
      },
      ready: ({ model, where, waitMs, signal }) =>
        ensureReady(options.models.resolve(model), signal, new Set(), { where, waitMs }),
      loadProgress: (model) => loadProgress(options.models.resolve(model)),
    },
    requests: () => ({ running: inFlight.running(), waiting: inFlight.waiting() + room.size() }),
    queue: (person) => board.view(person, room.waiting(), (hiveId) => hives.registry.find(hiveId)?.name ?? null),
    models: () => ({ object: "list", data: models().map(toModel) }),
    model(_person, name) {
      const id = options.models.resolve(name);
      const found = models().find((model) => model.id === id);
      if (found === undefined) throw modelNotFound(id, modelIds(), []);
      return toModel(found);
    },
    chat,
    cancel(person, requestId) {
      board.cancel(person, requestId);
    },
    closeStreams() {
      for (const relay of active) relay.fail(new RbeeError("overloaded", "The queen is stopping."));
      stopping = true;
      clearInterval(looking);
      for (const request of waiting) request.abort();
    },
  };
}
