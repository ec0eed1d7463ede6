import * as z from "zod";
import { backendSchema, hiveIdSchema, workerIdSchema } from "../identifiers.ts";
import { narrationEventSchema, progressEventSchema, resultEventSchema } from "../jobs.ts";
import { modelReferenceSchema } from "../model-reference.ts";
import { finishReasonSchema } from "./chat.ts";
import { chatMessageSchema } from "./messages.ts";
import { samplingFields } from "./sampling.ts";
import { timingsSchema, usageSchema } from "./usage.ts";

const {
  stream: _stream,
  stream_options: _options,
  n: _choices,
  user: _user,
  // A task streams one answer, and it knows whose it is.
  ...sampling
} = samplingFields;

/** `POST /v2/tasks`: one question, and all that it takes to have it answered. */
export const taskRequestSchema = z
  .strictObject({
    node: z
      .string()
      .trim()
      .min(1)
      .max(330)
      .optional()
      .describe("Id or name of a hive, or of a registered machine; rbee chooses when it is left out."),
    model: modelReferenceSchema,
    prompt: z.string().min(1).optional().describe("One message of a user; instead of `messages`."),
    messages: z.array(chatMessageSchema).min(1, "must hold at least one message").max(10_000).optional(),
    ...sampling,
    backend: backendSchema.optional().describe("Nothing else is taken instead."),
    device: z.string().max(64).optional().describe("Device id from /capabilities, for example `cuda:0`."),
  })
  .superRefine(({ prompt, messages }, context) => {
    if ((prompt === undefined) === (messages === undefined))
      context.addIssue({
        code: "custom",
        path: ["prompt"],
        message: prompt === undefined ? "must be there, or messages" : "cannot be combined with messages",
      });
  })
  .meta({ id: "TaskRequest" });
export type TaskRequest = z.output<typeof taskRequestSchema>;

/** `event: token`: a piece of the answer. It has no `id`, since what is over cannot be read again. */
export const tokenEventSchema = z
  .object({
    t: z.string(),
    i: z.int().min(0).describe("Counts up by one, from 0."),
    reasoning: z.literal(true).optional().describe("Set when the model thinks and has not begun to answer."),
  })
  .meta({ id: "TokenEvent" });
export type TokenEvent = z.infer<typeof tokenEventSchema>;

/** `data` of a task's result when it succeeded. */
export const taskAnswerSchema = z
  .object({
    request_id: z.string().describe("What cancels it, and what it is called in usage and logs."),
    model: z.string(),
    hive_id: hiveIdSchema,
    hive: z.string(),
    worker_id: workerIdSchema,
    finish_reason: finishReasonSchema.nullable(),
    usage: usageSchema.nullable(),
    timings: timingsSchema.nullable(),
  })
  .meta({ id: "TaskAnswer" });
export type TaskAnswer = z.infer<typeof taskAnswerSchema>;

/** An event of a task's stream: `event:` is its `type`, `data:` the rest as JSON. `data: [DONE]` follows the result. */
export const taskEventSchema = z
  .discriminatedUnion("type", [
    narrationEventSchema,
    progressEventSchema,
    tokenEventSchema.extend({ type: z.literal("token") }),
    resultEventSchema,
  ])
  .meta({ id: "TaskEvent" });
export type TaskEvent = z.infer<typeof taskEventSchema>;
