import * as z from "zod";

const tokenLogprob = z.object({
  token: z.string().describe("The token's text; U+FFFD where its bytes are no whole characters."),
  logprob: z.number().describe("Natural logarithm of its probability; -9999 for none."),
  bytes: z.array(z.int()),
});

/** One token of an answer with what the model thought of it before any sampling setting. */
export const tokenLogprobSchema = tokenLogprob
  .extend({ top_logprobs: z.array(tokenLogprob).describe("The likeliest tokens, likeliest first.") })
  .meta({ id: "TokenLogprob" });
export type TokenLogprob = z.infer<typeof tokenLogprobSchema>;

export const chatLogprobsSchema = z
  .object({ content: z.array(tokenLogprobSchema).nullable(), refusal: z.null() })
  .nullable()
  .meta({ id: "ChatLogprobs" });
export type ChatLogprobs = z.infer<typeof chatLogprobsSchema>;

/** The older shape, of `/v1/completions`. */
export const completionLogprobsSchema = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number()),
    top_logprobs: z.array(z.record(z.string(), z.number())).nullable(),
    text_offset: z.array(z.int()).describe("Where each token begins in the choice's text, in characters."),
  })
  .nullable()
  .meta({ id: "CompletionLogprobs" });
export type CompletionLogprobs = z.infer<typeof completionLogprobsSchema>;
