import {
  formatModelReference,
  parseModelReference,
  RbeeError,
  toRbeeError,
  type CatalogueModel,
  type JobRequest,
} from "@rbee/contract";
import { inParallel, narrate, step } from "@rbee/jobs";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";
import type { ModelsService } from "#lib/server/models/index.ts";
import { performOnHive, type HiveJobParts } from "./hive-job.ts";
import { hiveNamed } from "./hive-named.ts";
import { holdersOf, isCalled, isUp } from "./household-models.ts";
import { lookAgain } from "./model-download.ts";
import type { Operation } from "./operation.ts";

const limitMs = 10 * 60_000;
const lookLimitMs = 15_000;

type Request = Extract<JobRequest, { operation: "model_delete" }>;
interface Parts extends HiveJobParts {
  readonly hives: Pick<HivesService, "registry" | "contact">;
  readonly models: Pick<ModelsService, "resolve">;
}

/**
 * Deletes a model from the named hive, or from every hive where rbee downloaded it. Each is done to its end whatever
 * becomes of the others, and the job fails when any of them fails.
 * @throws {RbeeError} `node_not_found`.
 */
export function modelDelete(parts: Parts, request: Request): Operation {
  const { hives } = parts;
  const model = parts.models.resolve(formatModelReference(parseModelReference(request.model)));
  const named = request.hive === undefined ? undefined : hiveNamed(hives, request.hive);

  const deleteOn = async (hive: HiveState): Promise<Record<string, unknown>> => {
    const actor = `hive:${hive.name}`;
    const given = await step("delete", { timeoutMs: limitMs, actor, message: `Deleting ${model}` }, () =>
      performOnHive(parts, hive, { operation: "model_delete", model, force: request.force }),
    );
    await lookAgain(hives, hive);
    return { ...given, hive: hive.name };
  };

  return {
    subject: named === undefined ? model : `${model} on ${named.name}`,
    timeoutMs: limitMs + 60_000,
    async perform() {
      if (named !== undefined) return deleteOn(named);
      const holders = await step(
        "look",
        { timeoutMs: lookLimitMs, message: `Looking for the machines that have ${model}` },
        (signal) => holdersToClear(hives, model, signal),
      );
      const [only, ...more] = holders;
      if (only !== undefined && more.length === 0) return deleteOn(only);
      const deleted = await inParallel(holders, deleteOn, { name: ({ name }) => name });
      return { model: deleted[0]?.["model"] ?? model, machines: deleted.length };
    },
  };
}

/**
 * The hives from which the model goes: those where rbee downloaded it, and those that had it and do not answer now.
 * @throws {RbeeError} `model_not_found`; `invalid_request` when every copy was put there by a person.
 */
async function holdersToClear(hives: Parts["hives"], name: string, signal: AbortSignal): Promise<HiveState[]> {
  const told = new Set(holdersOf(hives, name).map(({ hive }) => hive));
  const kept: string[] = [];
  const look = async (hive: HiveState): Promise<HiveState[]> => {
    if (!isUp(hive)) return told.has(hive) ? [hive] : [];
    let models: readonly CatalogueModel[];
    try {
      models = (await hives.contact.client(hive).listModels({ signal })).data;
    } catch (thrown) {
      signal.throwIfAborted();
      if (told.has(hive)) return [hive];
      const { message } = toRbeeError(thrown);
      narrate({ action: "unknown", level: "warn", message: `${hive.name} could not be asked: ${message}` });
      return [];
    }
    const model = models.find((each) => isCalled(each, name));
    if (model === undefined) return [];
    if (model.removable) return [hive];
    kept.push(hive.name);
    narrate({ action: "kept", message: `${hive.name} keeps it: its file was put there by a person.` });
    return [];
  };
  const holders = (await Promise.all(hives.registry.all().map(look))).flat();
  if (holders.length > 0) return holders;
  if (kept.length > 0)
    throw new RbeeError(
      "invalid_request",
      `rbee did not download ${name}; a person put its file on ${kept.join(", ")}.`,
      {
        param: "model",
        suggestion: "Delete the file on that machine.",
      },
    );
  throw new RbeeError("model_not_found", `No machine of the household has ${name}.`, {
    param: "model",
    suggestion: "`rbee model list` shows the models there are.",
  });
}
