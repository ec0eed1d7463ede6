import {
  externalSeats,
  RbeeError,
  toRbeeError,
  type FleetModel,
  type HealthTransition,
  type modelSchema,
} from "@rbee/contract";
import type * as z from "zod";
import type { Logger } from "pino";
import type { Agent } from "undici";
import type { Person } from "#lib/server/accounts/index.ts";
import type { HiveConnection, HivesService } from "#lib/server/hives/index.ts";
import { modelNotFound } from "#lib/server/models/index.ts";
import type { UsageEntry } from "#lib/server/usage/index.ts";
import { answer, type ActiveRelay } from "./answer.ts";
import { chatAsk, completionAsk, countAsk, detokenizeAsk, embeddingsAsk, tokenizeAsk, type Ask } from "./asks.ts";
import { createInFlight } from "./in-flight.ts";
import { openWorkers, type WorkerView } from "./placement.ts";
import { createWaitingRoom } from "./queue/index.ts";
import { createRequestBoard } from "./request-board.ts";
import { openRequestLog } from "./request-log.ts";
import type { Spawning } from "./spawning.ts";
import { createSupply, type SupplyOptions } from "./supply.ts";
import type { Reply } from "./reply.ts";
import type { Inference, Readiness, RequestContext } from "./types.ts";
import { toldTo } from "./told-to.ts";
import { createSend } from "./upstream.ts";

const defaultStallMs = 60_000;
const defaultExternalLimitMs = 10 * 60_000;
/** A hive counts as down after this silence; an answer that still gets bytes is left alone. */
const deadAfterMs = 10_000;
/** Workers come and go without telling those who wait for one. */
const lookAgainMs = 250;

/** A few more than it has slots: the next request is there already when a slot becomes free. */
function seatsAt({ slotsTotal, external }: WorkerView): number {
  if (external !== undefined) return slotsTotal ?? externalSeats;
  return slotsTotal === null ? Number.POSITIVE_INFINITY : slotsTotal + Math.ceil(slotsTotal / 4);
}

/** Its last bytes may have come after the last heartbeat of its hive, so it is looked at until it has been silent as long. */
function endWhenSilent(relay: ActiveRelay, hiveName: string): void {
  if (performance.now() - relay.lastByteAt() > deadAfterMs)
    relay.fail(new RbeeError("hive_down", `${hiveName} stopped sending heartbeats.`));
}

export interface InferenceOptions {
  hives: Pick<HivesService, "registry" | "contact" | "localWorkers" | "onTransition">;
  models: SupplyOptions["models"];
  agent: Agent;
  log: Logger;
  now: () => number;
  loadWaitMs: number;
  /** So many requests may wait for one model. */
  queueLimit: number;
  /** Longest silence of an answer, in milliseconds; a minute unless a test says otherwise. */
  stallMs?: number;
  /** How long a server of others may take to begin an answer, in milliseconds; ten minutes unless a test says otherwise. */
  externalLimitMs?: number;
  keyName: (keyId: string) => string | null;
  /** What a person's conversations are encrypted with where a hive keeps them; null for nobody that is known. */
  parkingKey: (userId: string) => string | null;
  record: (entry: UsageEntry) => void;
}

export interface InferenceService extends Inference {
  /** Starts workers that a person asked for. */
  readonly spawning: Spawning;
  /** Workers for what a person asks. */
  readinessFor(person: Person): Readiness;
  requests(): { running: number; waiting: number };
  /** Ends every answer that is under way with an error event. */
  closeStreams(): void;
}

function toModel(model: FleetModel, hiveName: (hiveId: string) => string): z.infer<typeof modelSchema> {
  const external = model.external ?? [];
  return {
    id: model.id,
    object: "model",
    created: 0,
    owned_by: "rbee",
    aliases: model.aliases,
    meta: { n_ctx_train: model.context_length, n_params: model.parameters, size: model.size_bytes },
    ...(external.length === 0
      ? {}
      : { served_by: external.map(({ name, hive_id }) => `${name} on ${hiveName(hive_id)}`) }),
    status: { value: model.state },
  };
}

export function createInference(options: InferenceOptions): InferenceService {
  const { hives, agent, log, now, stallMs = defaultStallMs, externalLimitMs = defaultExternalLimitMs } = options;
  const inFlight = createInFlight();
  const active = new Set<ActiveRelay>();
  /** Requests whose answer has not begun. */
  const waiting = new Set<AbortController>();
  const board = createRequestBoard(() => performance.now());
  let stopping = false;

  const connection = (hiveId: string): HiveConnection => {
    const hive = hives.registry.find(hiveId);
    if (hive === undefined) throw new RbeeError("node_not_found", "This hive was just removed.");
    return hives.contact.connection(hive);
  };
  const supply = createSupply({ hives, models: options.models, inFlight, log, now, loadWaitMs: options.loadWaitMs });
  const { fleet, ensureReady, fresh, models } = supply;
  const room = createWaitingRoom<WorkerView>({
    open: (model, avoid, where) =>
      openWorkers(model, fleet(), avoid, where).map((worker) => ({
        worker,
        slots: worker.slotsTotal ?? (worker.external === undefined ? 1 : externalSeats),
        // Counted by what this queen has sent there; what a hive measured is up to a second old.
        freeSlots: seatsAt(worker) - inFlight.at(worker.workerId),
      })),
    enter({ workerId }) {
      supply.asked(workerId);
      return inFlight.enter(workerId);
    },
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
  const send = createSend(agent, hives.localWorkers);
  const told = (model: FleetModel) => toModel(model, (hiveId) => hives.registry.find(hiveId)?.name ?? "a hive");
  const parkingKey = (userId: string, hiveId: string): string | null =>
    hives.registry.find(hiveId)?.capabilities?.parks_conversations === true ? options.parkingKey(userId) : null;
  const works = ({ hiveId, workerId }: WorkerView) =>
    hives.registry.find(hiveId)?.heartbeat?.workers.some(
      // One that hangs may have told that it is busy just before; but it cannot compute without the processor.
      (worker) =>
        worker.worker_id === workerId && worker.state !== "stopped" && worker.slots_busy !== 0 && worker.cpu_pct !== 0,
    ) === true;

  hives.onTransition(({ hive_id, name, to }: HealthTransition) => {
    if (to !== "down") return;
    for (const relay of active) if (relay.hiveId === hive_id) endWhenSilent(relay, name);
  });

  const ask = async (person: Person, asked: Ask, context: RequestContext): Promise<Reply> => {
    const { lane, where, seated, signal: client } = context;
    const requestId = board.free(context.requestId);
    const model = options.models.resolve(asked.model);
    const request = model === asked.model ? asked : { ...asked, model, body: { ...asked.body, model } };
    // Not AbortSignal.any(): it costs a multiple of this, at every request.
    const ending = new AbortController();
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
        if (request.metered) options.record(row);
      },
    });
    const onLeft = () => {
      ending.abort();
    };
    if (client.aborted || stopping) ending.abort();
    client.addEventListener("abort", onLeft, { once: true });
    waiting.add(ending);
    board.post({ requestId, person, model: request.model, lane, ending });
    try {
      return await answer(
        {
          ensureReady,
          connection,
          send,
          parkingKey,
          room,
          fresh,
          active,
          works,
          stallMs,
          externalLimitMs,
          loadWaitMs: options.loadWaitMs,
        },
        { ask: request, user: person.user, lane, where, signal: ending.signal, requestId, log: entry, seated },
      );
    } catch (thrown) {
      const error = client.aborted
        ? new RbeeError("request_cancelled", "The client went away.")
        : ending.signal.reason instanceof RbeeError
          ? ending.signal.reason
          : stopping
            ? new RbeeError("overloaded", "The queen is stopping.", { retryAfterS: 5 })
            : toRbeeError(thrown);
      if (error.code === "internal_error") log.error({ err: thrown, requestId }, "request failed");
      entry.end({ error, timings: null, firstTextAt: null });
      throw toldTo(person, error);
    } finally {
      waiting.delete(ending);
    }
  };

  return {
    spawning: supply.spawning,
    readinessFor: (person) => ({
      ...supply.readiness,
      ready: (request) =>
        supply.readiness.ready(request).catch((thrown: unknown) => {
          throw toldTo(person, thrown);
        }),
    }),
    explain: (person, name, query) => supply.explain(person, name, query),
    requests: () => ({ running: inFlight.running(), waiting: inFlight.waiting() + room.size() }),
    queue: (person) => board.view(person, room.waiting(), (hiveId) => hives.registry.find(hiveId)?.name ?? null),
    models: () => ({ object: "list", data: models().map(told) }),
    model(_person, name) {
      const id = options.models.resolve(name);
      const found = models().find((model) => model.id === id);
      if (found === undefined)
        throw modelNotFound(
          id,
          models().map((model) => model.id),
          [],
        );
      return told(found);
    },
    chat: (person, request, context) => ask(person, chatAsk(request), context),
    complete: (person, request, context) => ask(person, completionAsk(request), context),
    embed: (person, request, context) => ask(person, embeddingsAsk(request), context),
    countTokens: (person, request, context) => ask(person, countAsk(request), context),
    tokenize: (person, model, request, context) => ask(person, tokenizeAsk(model, request), context),
    detokenize: (person, model, request, context) => ask(person, detokenizeAsk(model, request), context),
    cancel(person, requestId) {
      board.cancel(person, requestId);
    },
    closeStreams() {
      for (const relay of active) relay.fail(new RbeeError("overloaded", "The queen is stopping."));
      stopping = true;
      clearInterval(looking);
      supply.stop();
      for (const request of waiting) request.abort();
    },
  };
}
