import type {
  ChatRequest,
  CompletionRequest,
  DetokenizeRequest,
  EmbeddingsRequest,
  Lane,
  TokenizeRequest,
  modelListSchema,
  modelSchema,
  PlacementExplanation,
  Queue,
  RbeeError,
} from "@rbee/contract";
import type * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Where, WorkerView } from "./placement.ts";
import type { ExplainQuery } from "./explanation.ts";
import type { Reply } from "./reply.ts";

export interface RequestContext {
  readonly requestId: string;
  /** Where it waits when there is no free slot: before or after what people are waiting for. */
  readonly lane: Lane;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /** Where alone it may be answered; anywhere when left out. */
  readonly where?: Where | undefined;
  /** Hears of the worker that is asked; again when it is asked elsewhere. */
  readonly seated?: ((worker: WorkerView) => void) | undefined;
}

/** What would become of a request now. */
export type Outlook =
  /** A worker is ready, waits for one that is coming, or one would be started on this hive. */
  | { readonly kind: "ready" | "coming" | "startable"; readonly hiveId: string }
  /** Nobody can answer it; `soon` when that may change within seconds. */
  | { readonly kind: "refused"; readonly error: RbeeError; readonly soon: boolean };

/** What tasks need beyond answering chats. */
export interface Readiness {
  /** What would become of a request for this model now; nothing is started. */
  outlook(model: string, where: Where): Outlook;
  /**
   * Brings a worker of the model up, or finds one, sharing a load that is under way.
   * @throws {RbeeError} as `EnsureReady` does; rejects with the signal's reason.
   */
  ready(request: { model: string; where: Where; waitMs: number; signal: AbortSignal }): Promise<WorkerView>;
  /** Share of a model that is loaded, from 0 to 1; null when it is unknown. */
  loadProgress(model: string): number | null;
}

export interface Inference {
  models(person: Person): z.infer<typeof modelListSchema>;
  /** @throws {RbeeError} `model_not_found`. */
  model(person: Person, id: string): z.infer<typeof modelSchema>;
  /** Who waits, by model and in the order of their turn, and what is being answered. Members see no names but their own. */
  queue(person: Person): Queue;
  /**
   * Where a request for this model would go now, and what speaks for and against each hive.
   * @throws {RbeeError} `model_not_found`, `node_not_found`.
   */
  explain(person: Person, name: string, query: ExplainQuery): PlacementExplanation;
  /**
   * Answers a chat, loading the model first when it must; the response streams when the request asks for it.
   * @throws {RbeeError} `model_not_found`, `model_loading`, `hive_down`, `hive_unreachable`, `insufficient_ram`,
   * `insufficient_vram`, `worker_busy`, `queue_full`, `request_cancelled`, and what hive and worker answer.
   */
  chat(person: Person, request: ChatRequest, context: RequestContext): Promise<Reply>;
  /** Goes on where a prompt ends. @throws {RbeeError} as `chat`. */
  complete(person: Person, request: CompletionRequest, context: RequestContext): Promise<Reply>;
  /** Turns texts into vectors. @throws {RbeeError} as `chat`. */
  embed(person: Person, request: EmbeddingsRequest, context: RequestContext): Promise<Reply>;
  /** How many tokens a chat's prompt has; loads the model, since only it can tell. @throws {RbeeError} as `chat`. */
  countTokens(person: Person, request: ChatRequest, context: RequestContext): Promise<Reply>;
  /** @throws {RbeeError} as `chat`. */
  tokenize(person: Person, model: string, request: TokenizeRequest, context: RequestContext): Promise<Reply>;
  /** @throws {RbeeError} as `chat`. */
  detokenize(person: Person, model: string, request: DetokenizeRequest, context: RequestContext): Promise<Reply>;
  /**
   * Ends a request that waits or is being answered, with the error `request_cancelled`; without effect on one that is
   * over or never was. @throws {RbeeError} `forbidden` for somebody else's, unless an administrator asks.
   */
  cancel(person: Person, requestId: string): void;
}
