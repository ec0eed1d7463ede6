import { kvProblem, RbeeError, type HiveModel } from "@rbee/contract";
import type { ModelDecisions } from "./store.ts";

/**
 * Refuses decisions that no worker could be started with.
 * @throws {RbeeError} `invalid_request` with the field in `param`, and what is possible.
 */
export function refuseImpossible(
  modelId: string,
  { contextLength, extendContext, gpuLayers, flashAttention, kvType }: ModelDecisions,
  copies: readonly Pick<HiveModel, "context_length" | "memory">[],
): void {
  const trained = trainedContext(copies);
  if (contextLength !== null && trained !== null && contextLength > trained && !extendContext)
    throw new RbeeError(
      "invalid_request",
      `${modelId} was trained for ${trained} tokens of context, and ${contextLength} are asked for.`,
      {
        param: "context_length",
        details: { trained_context_length: trained, requested: contextLength },
        suggestion:
          "Take at most that, or ask for more on purpose with extend_context (--extend-context); answers get worse.",
      },
    );
  const kv = { flash_attention: flashAttention, kv_type: kvType };
  const problem = [null, ...copies.map(({ memory }) => memory)].map((heads) => kvProblem(kv, heads)).find(Boolean);
  if (problem !== undefined && problem !== null)
    throw new RbeeError("invalid_request", problem.message, {
      param: problem.param,
      details: kv,
      suggestion:
        problem.param === "kv_type"
          ? "Leave the cache at f16 (auto)."
          : "Let the engine decide about flash attention (auto), or leave the cache at f16 (auto).",
    });
  const layers = Math.max(...copies.map(({ memory }) => memory?.layers ?? Number.POSITIVE_INFINITY), 0);
  // The output counts as one more layer.
  if (gpuLayers !== null && copies.length > 0 && gpuLayers > layers + 1)
    throw new RbeeError("invalid_request", `${modelId} has ${layers} layers and its output, and ${gpuLayers} are asked for.`, {
      param: "gpu_layers",
      details: { layers, most: layers + 1, requested: gpuLayers },
      suggestion: `Take at most ${layers + 1}, or leave it to rbee (auto), which puts all of them on the GPU.`,
    });
}

/** What a model was trained for, in tokens; null when no copy's header says so. */
export function trainedContext(copies: readonly Pick<HiveModel, "context_length">[]): number | null {
  return copies.find(({ context_length }) => context_length !== null)?.context_length ?? null;
}

/**
 * Refuses to spread a model over hives that are not there, or over fewer than two.
 * @throws {RbeeError} `invalid_request`, `node_not_found`.
 */
export function refuseStrangeHives(across: readonly string[], isHive: (id: string) => boolean): void {
  if (across.length === 1 || new Set(across).size < across.length)
    throw new RbeeError("invalid_request", "A model is spread over two different machines at least.", {
      param: "across",
      suggestion: "Name two or more, the main one first; none lets rbee choose one machine.",
    });
  const strange = across.find((id) => !isHive(id));
  if (strange !== undefined)
    throw new RbeeError("node_not_found", `No machine ${strange} is in the household.`, { param: "across" });
}
