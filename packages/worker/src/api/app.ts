import type { HttpBindings } from "@hono/node-server";
// eslint-disable-next-line no-restricted-imports -- a path inside the library
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import {
  chatRequestSchema,
  completionRequestSchema,
  detokenizeRequestSchema,
  embeddingsRequestSchema,
  parkingKeyHeader,
  parseJsonBody,
  RbeeError,
  tokenizeRequestSchema,
  toRbeeError,
  workerEndpoints,
  type InputTokens,
  type modelListSchema,
  type workerHealthSchema,
} from "@rbee/contract";
import { Hono, type Context } from "hono";
import type * as z from "zod";
import { chatPlan, chatPrompt } from "./chat-plan.ts";
import { streamChat, wholeChat } from "./chat.ts";
import { completionPlan } from "./completion-plan.ts";
import { streamCompletion, wholeCompletion } from "./completions.ts";
import { embeddings } from "./embeddings.ts";
import { envelopeFor, type Envelope } from "./envelope.ts";
import { ParkingKey } from "../parking/index.ts";
import type { GenerationRequest } from "../scheduler/index.ts";
import type { ReadyModel } from "./ready-model.ts";
import { detokenize, tokenize } from "./tokens.ts";

export interface WorkerApi {
  readonly model: string;
  readonly version: string;
  /** null until the model is loaded. */
  ready(): ReadyModel | null;
  draining(): boolean;
  /** For what no caller may see. */
  onUnexpected(error: unknown): void;
}

interface Env {
  Bindings: HttpBindings;
}

/** The worker's HTTP interface: every endpoint of the contract's worker table, errors in rbee's one shape. */
export function createApp(api: WorkerApi): Hono<Env> {
  const app = new Hono<Env>();

  app.get(workerEndpoints.health.path, (context) => {
    const load = api.ready()?.load();
    const health: z.infer<typeof workerHealthSchema> = {
      status: api.draining() ? "draining" : load === undefined ? "loading" : "ok",
      model: api.model,
      slots_total: load?.slotsTotal ?? null,
      slots_busy: load?.slotsBusy ?? null,
      queued: load?.queued ?? null,
    };
    return context.json(health);
  });

  app.get(workerEndpoints.listModels.path, (context) => {
    const ready = api.ready();
    const list: z.infer<typeof modelListSchema> = {
      object: "list",
      data: ready === null ? [] : [modelEntry(api.model, ready)],
    };
    return context.json(list);
  });

  app.post(workerEndpoints.chat.path, (context) => chat(api, context));
  app.post(workerEndpoints.chatInputTokens.path, (context) => chatInputTokens(api, context));
  app.post(workerEndpoints.completion.path, (context) => completion(api, context));
  app.post(workerEndpoints.embeddings.path, (context) => embed(api, context));
  app.post(workerEndpoints.tokenize.path, async (context) => {
    const request = await parseJsonBody(tokenizeRequestSchema, context.req.raw);
    return context.json(tokenize(request, readyModel(api, request.model).engine.vocabulary));
  });
  app.post(workerEndpoints.detokenize.path, async (context) => {
    const request = await parseJsonBody(detokenizeRequestSchema, context.req.raw);
    return context.json(detokenize(request, readyModel(api, request.model).engine.vocabulary));
  });

  for (const { path, method } of Object.values(workerEndpoints)) {
    app.all(path, () => {
      const error = new RbeeError("method_not_allowed", `${path} takes ${method} only.`);
      const response = error.toResponse();
      response.headers.set("allow", method);
      return response;
    });
  }
  app.notFound(() => new RbeeError("not_found", "A worker has nothing at this address.").toResponse());
  app.onError((thrown) => {
    const error = toRbeeError(thrown);
    if (error !== thrown) api.onUnexpected(thrown);
    return error.toResponse();
  });
  return app;
}

function modelEntry(id: string, { engine, loadedAt }: ReadyModel): z.infer<typeof modelListSchema>["data"][number] {
  return {
    id,
    object: "model",
    created: loadedAt,
    owned_by: "rbee",
    meta: {
      n_ctx_train: engine.facts.trainedContextLength,
      n_params: engine.facts.parameters,
      size: engine.facts.sizeBytes,
    },
    status: { value: "loaded" },
  };
}

/** The loaded model, when it is the one that was asked for. */
function readyModel(api: WorkerApi, asked: string = api.model): ReadyModel {
  const ready = api.ready();
  if (ready === null) {
    throw new RbeeError("model_loading", `The model ${api.model} is still loading.`, { retryAfterS: 2 });
  }
  if (asked !== api.model) {
    throw new RbeeError("model_not_found", `This worker serves ${api.model}, not ${asked}.`, {
      param: "model",
      suggestion: `Ask for ${api.model}, or load the other model into a worker of its own.`,
    });
  }
  return ready;
}

function envelopeOf(
  prefix: "chatcmpl" | "cmpl",
  api: WorkerApi,
  { engine }: ReadyModel,
  context: Context<Env>,
): Envelope {
  const fingerprint = `rbee-${api.version}-${engine.facts.release}-${engine.facts.backend}`;
  return envelopeFor(prefix, api.model, fingerprint, context.req.header("x-request-id"));
}

/** The same plan, as the conversation of the user for whom the queen asks. */
function owned<P extends { readonly requests: readonly GenerationRequest[] }>(plan: P, context: Context<Env>): P {
  const parkingKey = ParkingKey.from(context.req.header(parkingKeyHeader));
  if (parkingKey === null) return plan;
  return { ...plan, requests: plan.requests.map((request) => ({ ...request, parkingKey })) };
}

async function chat(api: WorkerApi, context: Context<Env>): Promise<Response> {
  const request = await parseJsonBody(chatRequestSchema, context.req.raw);
  const ready = readyModel(api, request.model);
  const { engine, scheduler, prompts, abilities } = ready;
  const work = {
    scheduler,
    vocabulary: engine.vocabulary,
    plan: owned(chatPlan(request, engine, prompts, abilities), context),
    request,
    envelope: envelopeOf("chatcmpl", api, ready, context),
  };
  const { outgoing } = context.env;
  if (request.stream !== true) return context.json(await wholeChat(work, outgoing));
  streamChat(work, outgoing);
  return RESPONSE_ALREADY_SENT;
}

async function chatInputTokens(api: WorkerApi, context: Context<Env>): Promise<Response> {
  const request = await parseJsonBody(chatRequestSchema, context.req.raw);
  const { engine, prompts, abilities } = readyModel(api, request.model);
  const count: InputTokens = {
    object: "chat.completion.input_tokens",
    input_tokens: chatPrompt(request, prompts, abilities).tokens.length,
    context_length: engine.facts.contextLength,
  };
  return context.json(count);
}

async function completion(api: WorkerApi, context: Context<Env>): Promise<Response> {
  const request = await parseJsonBody(completionRequestSchema, context.req.raw);
  const ready = readyModel(api, request.model);
  const { engine, scheduler } = ready;
  const work = {
    scheduler,
    vocabulary: engine.vocabulary,
    plan: owned(completionPlan(request, engine), context),
    request,
    envelope: envelopeOf("cmpl", api, ready, context),
  };
  const { outgoing } = context.env;
  if (request.stream !== true) return context.json(await wholeCompletion(work, outgoing));
  streamCompletion(work, outgoing);
  return RESPONSE_ALREADY_SENT;
}

async function embed(api: WorkerApi, context: Context<Env>): Promise<Response> {
  const request = await parseJsonBody(embeddingsRequestSchema, context.req.raw);
  const { engine } = readyModel(api, request.model);
  if (api.draining())
    throw new RbeeError("worker_busy", "This worker is shutting down and takes no new requests.", { retryAfterS: 1 });
  const left = new AbortController();
  const { outgoing } = context.env;
  const leave = () => {
    left.abort();
  };
  outgoing.once("close", leave);
  try {
    return context.json(await embeddings(request, engine, left.signal));
  } finally {
    outgoing.off("close", leave);
  }
}
