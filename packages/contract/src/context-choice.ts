import * as z from "zod";
import {
  leastContext,
  memoryNeed,
  type MemoryNeed,
  type MemoryQuestion,
  type ModelMemoryFacts,
} from "./model-memory.ts";

/**
 * Why a worker has the context that it has: somebody set it; it is all that the model was trained for; more would take
 * too much of the memory that is free; more would take too long to read without a GPU; or nothing is known by which
 * more could be promised.
 */
export const contextReasonSchema = z.enum(["set", "trained", "memory", "cpu", "unknown"]).meta({ id: "ContextReason" });
export type ContextReason = z.infer<typeof contextReasonSchema>;

export const contextChoiceSchema = z.object({
  tokens: z.int().describe("Tokens of context per slot."),
  why: contextReasonSchema.describe("What decided it, or keeps it from being more."),
});
export type ContextChoice = z.infer<typeof contextChoiceSchema>;

/** Memory that is free, in MB; null where it cannot be measured. */
export interface FreeMemory {
  /** Of the device's own; of no matter for a device that has none. */
  readonly deviceMb: number | null;
  readonly ramMb: number | null;
}

/** Sizes between what a model was trained for and the least, in tokens. */
const ladder = [131_072, 65_536, 32_768, 16_384, 8_192] as const;
/** A processor takes minutes to read more than this, and the memory for it is taken from the first second. */
const cpuLimit = 8_192;
/** What is given where nobody knows what is free or what a token takes. */
const blindLimit = 8_192;
/**
 * Of the memory that is free, context beyond the least may take this share. Models and the programs of people share
 * these machines: what one model takes for conversations that may never be so long, the next one lacks, and would have
 * to be stopped for.
 */
const shareForMore = 1 / 4;

/**
 * How much context a worker gets on a device, and what it is promised with that. Nobody's wish is changed: what is
 * named is taken, up to what the model was trained for unless the question says otherwise. When nothing is named it is
 * the most of a few sizes that fits, never less than the least (whether that fits is the caller's question), and never
 * more than the model was trained for. Pure: queen and hive come to the same answer from the same figures, and the
 * hive's is what counts.
 * @param free before the worker starts, less what others were promised.
 */
export function chooseContext(
  model: { sizeBytes: number; trainedContext: number | null; facts: ModelMemoryFacts | null },
  question: MemoryQuestion,
  free: FreeMemory,
  sharesRam: boolean,
): ContextChoice & { readonly need: MemoryNeed } {
  const needWith = (contextLength: number) => memoryNeed(model, { ...question, contextLength }, sharesRam);
  const { trainedContext } = model;
  if (question.contextLength !== undefined) {
    const most =
      question.extendContext === true ? Number.MAX_SAFE_INTEGER : (trainedContext ?? Number.MAX_SAFE_INTEGER);
    const tokens = Math.min(question.contextLength, most);
    return { tokens, why: tokens < question.contextLength ? "trained" : "set", need: needWith(tokens) };
  }
  const least = leastContext(trainedContext);
  const isBlind =
    trainedContext === null ||
    model.facts === null ||
    model.facts.cache_values_per_token === null ||
    free.ramMb === null ||
    (!sharesRam && free.deviceMb === null);
  const limits: readonly (readonly [number, ContextReason])[] = [
    [trainedContext ?? Number.MAX_SAFE_INTEGER, "trained"],
    [question.backend === "cpu" ? cpuLimit : Number.MAX_SAFE_INTEGER, "cpu"],
    [isBlind ? blindLimit : Number.MAX_SAFE_INTEGER, "unknown"],
  ];
  const [most, limit] = limits.reduce((lowest, each) => (each[0] < lowest[0] ? each : lowest));
  const needLeast = needWith(least);
  const fits = (need: MemoryNeed, pool: keyof MemoryNeed, freeMb: number | null) =>
    freeMb === null || (need[pool] <= freeMb && need[pool] - needLeast[pool] <= freeMb * shareForMore);
  for (const tokens of [most, ...ladder.filter((size) => size < most)]) {
    if (tokens <= least) break;
    const need = needWith(tokens);
    if (!fits(need, "ram_mb", free.ramMb) || !fits(need, "device_mb", sharesRam ? null : free.deviceMb)) continue;
    return { tokens, why: tokens === most ? limit : "memory", need };
  }
  return { tokens: least, why: least < most ? "memory" : limit, need: needLeast };
}

/** A choice as one plain sentence, for `name` a machine. */
export function contextSentence(name: string, { tokens, why }: ContextChoice): string {
  const given = `${name} gives each slot ${tokens} tokens of context`;
  switch (why) {
    case "set":
      return `${given}, as it was set.`;
    case "trained":
      return `${given}, which is all that the model was trained for.`;
    case "memory":
      return `${given}; more would take too much of the memory that is free.`;
    case "cpu":
      return `${given}; more would take minutes to read without a GPU. It can be set.`;
    case "unknown":
      return `${given}; what more would take is not known.`;
  }
}
