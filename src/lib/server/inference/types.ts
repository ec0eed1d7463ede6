import type { ChatRequest, Lane, modelListSchema, modelSchema, Queue } from "@rbee/contract";
import type { z } from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Reply } from "./reply.ts";

export interface RequestContext {
  readonly requestId: string;
  /** Where it waits when there is no free slot: before or after what people are waiting for. */
  readonly lane: Lane;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

export interface Inference {
  models(person: Person): z.infer<typeof modelListSchema>;
  /** @throws {RbeeError} `model_not_found`. */
  model(person: Person, id: string): z.infer<typeof modelSchema>;
  /** Who waits, by model and in the order of their turn, and what is being answered. Members see no names but their own. */
  queue(person: Person): Queue;
  /**
   * Answers a chat, loading the model first when it must; the response streams when the request asks for it.
   * @throws {RbeeError} `model_not_found`, `model_loading`, `hive_down`, `hive_unreachable`, `insufficient_ram`,
   * `insufficient_vram`, `worker_busy`, `queue_full`, `request_cancelled`, and what hive and worker answer.
   */
  chat(person: Person, request: ChatRequest, context: RequestContext): Promise<Reply>;
}
