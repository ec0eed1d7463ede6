import * as z from "zod";
import { hiveIdSchema, modelIdSchema, timestampSchema } from "./identifiers.ts";
import { parseModelReference } from "./model-reference.ts";

/** Whether a model fits into a machine's memory: now, once its idle workers are stopped, or not at all. */
export const fitVerdictSchema = z
  .enum(["fits", "fits_after_unloading", "too_big", "unknown"])
  .describe("`unknown`: the machine is down or has not told enough.")
  .meta({ id: "FitVerdict" });
export type FitVerdict = z.infer<typeof fitVerdictSchema>;

/** What an estimate of memory is made from, the best first. */
export const fitBasisSchema = z
  .enum(["header", "size", "approximate"])
  .describe("`header`: read from the file; `size`: of the file alone; `approximate`: not from the file at all.")
  .meta({ id: "FitBasis" });
export type FitBasis = z.infer<typeof fitBasisSchema>;

const megabytes = z.number().min(0);

/** How one model fits on one hive. Memory is that of the one device it would run on. */
export const hiveFitSchema = z
  .object({
    hive_id: hiveIdSchema,
    name: z.string(),
    verdict: fitVerdictSchema,
    device: z.string().nullable().describe("Where it would run, for example `cuda:0`; null when nothing is known."),
    need_mb: megabytes.describe("Weights, cache at the context asked for, overhead and head room."),
    have_mb: megabytes.nullable().describe("Free there now; null when it cannot be measured."),
    have_unloaded_mb: megabytes.nullable().describe("Free there when no model is loaded."),
    disk: z.object({
      need_mb: megabytes,
      have_mb: megabytes.nullable(),
      enough: z.boolean().nullable().describe("null when it is not known."),
    }),
    model: modelIdSchema.nullable().describe("What it is called on this hive when it is there already."),
    reason: z.string().describe("The verdict in one plain clause."),
  })
  .meta({ id: "HiveFit" });
export type HiveFit = z.infer<typeof hiveFitSchema>;

const repositorySchema = z.string().describe("`org/repo` on the hub.");
const fits = z.array(hiveFitSchema).describe("One for each hive.");

/** A repository that a search of the hub found. */
export const hubModelSchema = z
  .object({
    repository: repositorySchema,
    downloads: z.int().nullable().describe("In the last month."),
    likes: z.int().nullable(),
    gated: z.boolean().describe("One has to ask for access on its page."),
    private: z.boolean(),
    updated_at: timestampSchema.nullable(),
    parameters: z.number().nullable(),
    architecture: z.string().nullable(),
    context_length: z.int().nullable().describe("What it was trained for, in tokens."),
    size_bytes: z.number().nullable().describe("About what Q4_K_M takes, from the number of parameters."),
    fits: fits.describe("For about that size; empty when the number of parameters is not known."),
  })
  .meta({ id: "HubModel" });
export type HubModel = z.infer<typeof hubModelSchema>;

/** A model in a repository of the hub: one GGUF file, or all parts of a split one. */
export const hubFileSchema = z
  .object({
    reference: z.string().describe("What to pull: `hf:org/repo:QUANT`, or with the file's name."),
    file: z.string().describe("Path in the repository; of a split model its first part."),
    parts: z.int().min(1),
    quantization: z.string().nullable().describe("As its name says."),
    size_bytes: z.number().describe("Of all parts."),
    context_length: z.int().nullable().describe("Tokens per slot that the estimate is for."),
    basis: fitBasisSchema,
    fits,
  })
  .meta({ id: "HubFile" });
export type HubFile = z.infer<typeof hubFileSchema>;

export const hubRepositorySchema = hubModelSchema
  .omit({ size_bytes: true, fits: true })
  .extend({
    revision: z.string().describe("The commit that was looked at."),
    files: z.array(hubFileSchema).describe("The smallest first."),
  })
  .meta({ id: "HubRepository" });
export type HubRepository = z.infer<typeof hubRepositorySchema>;

export const sizeClassSchema = z.enum(["tiny", "small", "medium", "large", "huge"]).meta({ id: "SizeClass" });
export type SizeClass = z.infer<typeof sizeClassSchema>;

/** A well-known model to begin with. Its figures are approximate; a pull takes the hub's. */
export const hubStarterSchema = z
  .object({
    reference: z.string(),
    name: z.string(),
    size_class: sizeClassSchema,
    parameters: z.number(),
    size_bytes: z.number(),
    context_length: z.int(),
    good_at: z.string(),
    fits,
  })
  .meta({ id: "HubStarter" });
export type HubStarter = z.infer<typeof hubStarterSchema>;

const context = z.coerce
  .number("must be a number of tokens")
  .int()
  .min(256)
  .max(16_777_216)
  .optional()
  .describe("Tokens per slot; what a worker takes by itself when left out.");

export const fitQuerySchema = z.strictObject({ context });
export type FitQuery = z.output<typeof fitQuerySchema>;

export const hubSearchQuerySchema = z.strictObject({
  q: z.string().trim().max(200).default("").describe("Words; the most downloaded models when left out."),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  context,
});

export const hubRepositoryQuerySchema = z.strictObject({
  revision: z.string().max(200).optional().describe("Branch, tag or commit; main when left out."),
  context,
});

/**
 * `org/repo` out of what people paste: the name itself, `hf:org/repo`, or the address of its page. Null for anything
 * else, which is what to search for.
 */
export function repositoryNamed(text: string): string | null {
  const path = text.trim().replace(/^(?:hf:|https?:\/\/[^/\s]+\/)/u, "");
  const named = /^([^/\s:@?#]+\/[^/\s:@?#]+)(?:[/:@?#]\S*)?$/u.exec(path)?.[1];
  if (named === undefined) return null;
  try {
    const reference = parseModelReference(`hf:${named}`);
    return reference.kind === "hub" ? reference.repository : null;
  } catch {
    return null;
  }
}
