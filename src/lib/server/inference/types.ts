import type { ChatRequest, modelListSchema, modelSchema } from "@rbee/contract";
import type { z } from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Reply } from "./reply.ts";

export interface RequestContext {
  readonly requestId: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

export interface Inference {
  models(person: Person): z.infer<typeof modelListSchema>;
  /** @throws {RbeeError} `model_not_found`. */
  model(person: Person, id: string): z.infer<typeof modelSchema>;
  /**
   * Answers a chat, loading the model first when it must; the response streams when the request asks for it.
   * @throws {RbeeError} `model_not_found`, `model_loading`, `hive_down`, `hive_unreachable`, `insufficient_ram`,
   * `insufficient_vram`, `worker_busy`, `request_cancelled`, and what hive and worker answer.
   */
  chat(person: Person, request: ChatRequest, context: RequestContext): Promise<Reply>;
}
