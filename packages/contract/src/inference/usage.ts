import * as z from "zod";

export const usageSchema = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int().describe("Of all choices together, thoughts and tool calls included."),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }),
    completion_tokens_details: z.object({ reasoning_tokens: z.int() }).optional(),
  })
  .meta({ id: "Usage" });
export type Usage = z.infer<typeof usageSchema>;

/**
 * llama-server's `timings`, on the last content chunk of a stream and on whole answers; the queen meters from it.
 * Of several choices the prompt counts once, the tokens together, and the times are those of the slowest.
 */
export const timingsSchema = z
  .object({
    cache_n: z.int().describe("Prompt tokens taken from the slot's cache."),
    prompt_n: z.int().describe("Prompt tokens computed."),
    prompt_ms: z.number(),
    prompt_per_second: z.number(),
    predicted_n: z.int(),
    predicted_ms: z.number(),
    predicted_per_second: z.number(),
    draft_n: z.int().optional().describe("Tokens of the answer that were guessed from the text before them."),
    draft_n_accepted: z.int().optional().describe("Guessed tokens that the model chose itself."),
    queue_ms: z.number().optional().describe("How long it waited inside the worker for a slot."),
  })
  .meta({ id: "Timings" });
export type Timings = z.infer<typeof timingsSchema>;
