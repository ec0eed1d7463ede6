import { RbeeError, type HiveJobRequest } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { ModelStore } from "../models/store.ts";
import type { Supervisor } from "../worker-process/supervisor.ts";

type Request = Extract<HiveJobRequest, { operation: "model_delete" }>;

const drainMs = 30_000;

/**
 * Deletes a model, as a job.
 * @throws {RbeeError} `model_not_found`, `model_in_use` when it is pinned or workers run it and nobody forces it,
 *   `invalid_request` when rbee did not put it there.
 */
export async function deleteModel(
  request: Request,
  { store, supervisor }: { store: ModelStore; supervisor: Supervisor },
): Promise<Record<string, unknown>> {
  const model = await store.get(request.model);
  if (model.record?.pinned === true && !request.force)
    throw new RbeeError("model_in_use", `${model.id} is pinned.`, {
      details: { model: model.id, pinned: true },
      suggestion: "Unpin it, or delete it with force.",
    });
  const users = supervisor.using(model.id);
  if (users.length > 0 && !request.force)
    throw new RbeeError("model_in_use", `${model.id} is in use by ${users.join(", ")}.`, {
      details: { model: model.id, workers: users },
      suggestion: `Stop ${users.length === 1 ? "that worker" : "those workers"} first, or delete it with force.`,
    });
  if (users.length > 0)
    await step("stop_workers", { timeoutMs: drainMs + 10_000, message: `Stopping ${users.join(", ")}` }, async () =>
      Promise.all(users.map((id) => supervisor.get(id).stop(drainMs))),
    );
  const bytes = await store.remove(model);
  const isImport = model.record?.provider === "import";
  narrate({
    action: "deleted",
    message: isImport
      ? `${model.id} is forgotten. Its file stays where it is.`
      : `${model.id} is deleted; ${Math.round(bytes / 1024 ** 2)} MB are free again.`,
  });
  return { model: model.id, freed_bytes: bytes };
}
