import { setTimeout as delay } from "node:timers/promises";
import {
  formatModelReference,
  parseModelReference,
  RbeeError,
  toRbeeError,
  type JobRequest,
  type ModelReference,
  type ModelSource,
} from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";
import type { Hub } from "#lib/server/hub/index.ts";
import type { ModelsService } from "#lib/server/models/index.ts";
import { performOnHive, type HiveJobParts } from "./hive-job.ts";
import { hiveNamed } from "./hive-named.ts";
import { holdersOf, isUp, type Holder } from "./household-models.ts";
import { chooseDestination } from "./model-destination.ts";
import { sourcesFor } from "./model-sources.ts";
import type { Operation } from "./operation.ts";

/** A slow line takes its time for a large model; the hive itself notices silence long before. */
const downloadLimitMs = 24 * 60 * 60_000 + 5 * 60_000;
const placementLimitMs = 25_000;
/** How long a hive that has only just started is waited for. */
const hiveWaitMs = 20_000;
const lookEveryMs = 250;
const neighboursLimitMs = 130_000;

type Request = Extract<JobRequest, { operation: "model_download" }>;
interface Parts extends HiveJobParts {
  readonly hives: Pick<HivesService, "registry" | "contact">;
  readonly hub: Pick<Hub, "needs">;
  readonly models: Pick<ModelsService, "resolve">;
}

/**
 * Brings a model to a hive: to the named one, or where it suits best. Hives that have it are offered as sources in
 * front of the hub.
 * @throws {RbeeError} `node_not_found`, and `invalid_request` for a file when it is not clear on which machine it lies.
 */
export function modelDownload(parts: Parts, request: Request): Operation {
  const { hives } = parts;
  const reference = parseModelReference(request.model);
  const model = parts.models.resolve(formatModelReference(reference));
  const named = request.hive === undefined ? undefined : hiveNamed(hives, request.hive);
  if (named === undefined && reference.kind === "file" && hives.registry.all().length !== 1)
    throw new RbeeError("invalid_request", "A file lies on one machine, and none was named.", {
      param: "hive",
      suggestion: "Name the machine that has the file.",
    });

  const perform = async (): Promise<Record<string, unknown>> => {
    if (reference.kind === "name" && holdersOf(hives, model).length === 0) throw unknownModel(model);
    const target = named ?? (await choose(parts, model, reference));
    const holders = holdersOf(hives, model);
    const here = holders.find(({ hive }) => hive === target);
    if (reference.kind === "name" && here !== undefined) {
      narrate({ action: "present", message: `${target.name} has ${here.model.id} already.` });
      return { model: here.model.id, hive_id: target.hiveId, hive: target.name, already: true };
    }
    const others = holders.filter(({ hive }) => hive !== target).map(({ hive }) => hive);
    await whileStarting(target, others);
    const neighbours = reference.kind === "file" ? [] : holders.filter(({ hive }) => hive !== target && isUp(hive));
    const sources = await offered(hives, target, neighbours);
    if (reference.kind === "name" && sources.length === 0) throw unreachableModel(model, holders);
    const wish = request.id ?? commonId(target, neighbours);
    const given = await step(
      "download",
      { timeoutMs: downloadLimitMs, actor: `hive:${target.name}`, message: `Bringing ${model} to ${target.name}` },
      () =>
        performOnHive(parts, target, {
          operation: "model_download",
          model: reference.kind === "name" ? (neighbours[0]?.model.id ?? model) : model,
          sources,
          ...(wish === undefined ? {} : { id: wish }),
        }),
    );
    await lookAgain(hives, target);
    return { ...given, hive_id: target.hiveId, hive: target.name };
  };
  return {
    subject: named === undefined ? model : `${model} on ${named.name}`,
    timeoutMs: downloadLimitMs + 5 * 60_000,
    perform,
  };
}

/** Reads what a hive has now, so that a model shows or is gone at once; its heartbeats would tell a moment later. */
export async function lookAgain({ contact }: Parts["hives"], hive: HiveState): Promise<void> {
  await contact.ask(hive).catch((thrown: unknown) => {
    const { message } = toRbeeError(thrown);
    narrate({ action: "capabilities", level: "warn", message: `${hive.name} could not be asked again: ${message}` });
  });
}

function choose({ hives, hub }: Parts, model: string, reference: ModelReference): Promise<HiveState> {
  const options = { timeoutMs: placementLimitMs, message: `Finding a machine for ${model}` };
  return step("placement", options, async (signal) => {
    const isNew = holdersOf(hives, model).length === 0;
    const needs = isNew && reference.kind === "hub" ? await hub.needs(reference, signal) : null;
    for (const deadline = performance.now() + hiveWaitMs; ;) {
      const holders = holdersOf(hives, model);
      const views = hives.registry.all().map((hive) => ({
        hiveId: hive.hiveId,
        name: hive.name,
        health: hive.health,
        machine: hive.capabilities,
        hasModel: holders.some((holder) => holder.hive === hive),
      }));
      const choice = chooseDestination(views, holders[0]?.model ?? needs);
      if (choice.kind === "chosen") {
        for (const reason of choice.reasons) narrate({ action: "considered", message: `${reason}.` });
        const { hiveId: hive_id, name } = choice;
        narrate({ action: "chosen", message: `${model} goes to ${name}.`, data: { hive_id } });
        return hiveNamed(hives, hive_id);
      }
      if (!choice.soon || performance.now() > deadline)
        throw new RbeeError(choice.error, `No machine can take ${model}: ${choice.reasons.join("; ")}.`, {
          details: { reasons: choice.reasons },
          suggestion:
            choice.error === "insufficient_ram" || choice.error === "insufficient_disk"
              ? "Take a smaller quantization, make room, or name a machine to have it there all the same."
              : "Start a machine, or add one.",
        });
      await delay(lookEveryMs, undefined, { signal });
    }
  });
}

const isStarting = ({ health }: HiveState) => health === "starting";

/** Gives the target, and those that have the model when none of them is up, the time that a start takes. */
async function whileStarting(target: HiveState, others: readonly HiveState[]): Promise<void> {
  const isEarly = () => isStarting(target) || (others.some(isStarting) && !others.some(isUp));
  if (!isEarly()) return;
  const options = { timeoutMs: placementLimitMs, message: "Waiting for machines that have only just started" };
  await step("wait", options, async (signal) => {
    const deadline = performance.now() + hiveWaitMs;
    while (isEarly() && performance.now() < deadline) await delay(lookEveryMs, undefined, { signal });
  });
}

/** What the hives next door give, asked in a step of its own when there are any. */
async function offered(
  hives: Parts["hives"],
  target: HiveState,
  neighbours: readonly Holder[],
): Promise<ModelSource[]> {
  if (neighbours.length === 0) return [];
  const options = { timeoutMs: neighboursLimitMs, message: "Asking the machines that have it" };
  return step("neighbours", options, (signal) => sourcesFor(hives, target, neighbours, signal));
}

/** What others call it, so that the household has one model and not two; undefined when that name is taken there. */
function commonId(target: HiveState, [first]: readonly Holder[]): string | undefined {
  const isTaken = target.capabilities?.models.some(({ id }) => id === first?.model.id) === true;
  return isTaken ? undefined : first?.model.id;
}

const unknownModel = (model: string): RbeeError =>
  new RbeeError("model_not_found", `No machine of the household has ${model}.`, {
    param: "model",
    suggestion: "Name the model as hf:org/repo to fetch it from the hub.",
  });

function unreachableModel(model: string, holders: readonly Holder[]): RbeeError {
  const names = holders.map(({ hive }) => hive.name).join(", ");
  return new RbeeError("hive_down", `${model} can only come from ${names}, and nobody there gives it now.`, {
    suggestion: "Start that machine, or name the model as hf:org/repo to fetch it from the hub.",
  });
}
