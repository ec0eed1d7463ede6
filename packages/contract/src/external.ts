import * as z from "zod";
import { modelIdSchema } from "./identifiers.ts";

/** What an OpenAI-compatible server that rbee did not start turned out to be. */
export const externalKindSchema = z
  .enum(["ollama", "vllm", "lm-studio", "llama-server", "openai-compatible"])
  .meta({ id: "ExternalKind" });
export type ExternalKind = z.infer<typeof externalKindSchema>;

/** How people call servers of each kind. */
export const externalKindNames: Readonly<Record<ExternalKind, string>> = {
  ollama: "Ollama",
  vllm: "vLLM",
  "lm-studio": "LM Studio",
  "llama-server": "llama-server",
  "openai-compatible": "OpenAI-compatible server",
};

const server = {
  kind: externalKindSchema,
  name: z.string().max(64).describe("The name it was given in the settings, else that of its kind."),
  address: z.string().max(512).nullable().describe("Its URL as its hive reaches it; null for members."),
};

/** The server that answers for a worker which rbee neither starts nor stops. */
export const externalSourceSchema = z
  .object({ ...server, model: z.string().max(512).describe("What the server itself calls the model.") })
  .meta({ id: "ExternalSource" });
export type ExternalSource = z.infer<typeof externalSourceSchema>;

/** A server that a hive found on its machine, or was told of. */
export const externalServerSchema = z
  .object({
    ...server,
    version: z.string().max(64).nullable(),
    models: z.array(modelIdSchema).describe("The models that it serves, by their ids in the household."),
  })
  .meta({ id: "ExternalServer" });
export type ExternalServer = z.infer<typeof externalServerSchema>;

/**
 * How many requests the queen has at once at an external server for one model: servers do not tell how many they answer
 * at a time, and most queue what is beyond that themselves.
 */
export const externalSeats = 4;
