import type { HttpBindings } from "@hono/node-server";
// eslint-disable-next-line no-restricted-imports -- a path inside the library
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import {
  chatRequestSchema,
  parseJsonBody,
  RbeeError,
  toRbeeError,
  workerEndpoints,
  type modelListSchema,
  type workerHealthSchema,
} from "@rbee/contract";
import { Hono, type Context } from "hono";
import type { z } from "zod";
import type { Engine } from "../engine/engine.ts";
import type { Scheduler } from "../scheduler/index.ts";
import type { PromptMaker } from "../templates/chat-template.ts";
import { envelopeFor, streamChat, wholeChat } from "./chat.ts";
import { generationRequest } from "./generation-request.ts";

/** A loaded model, ready to answer. */
export interface ReadyModel {
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly prompts: PromptMaker;
  /** When it was loaded, Unix time in seconds. */
  readonly loadedAt: number;
}

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
    const load = api.ready()?.scheduler.load();
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
      data:
        ready === null
          ? []
          : [
              {
                id: api.model,
                object: "model",
                created: ready.loadedAt,
                owned_by: "rbee",
                meta: {
                  n_ctx_train: ready.engine.facts.trainedContextLength,
                  n_params: ready.engine.facts.parameters,
                  size: ready.engine.facts.sizeBytes,
                },
                status: { value: "loaded" },
              },
            ],
    };
    return context.json(list);
  });

  app.post(workerEndpoints.chat.path, (context) => chat(api, context));

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

async function chat(api: WorkerApi, context: Context<Env>): Promise<Response> {
  const request = await parseJsonBody(chatRequestSchema, context.req.raw);
  const ready = api.ready();
  if (ready === null) {
    throw new RbeeError("model_loading", `The model ${api.model} is still loading.`, { retryAfterS: 2 });
  }
  if (request.model !== api.model) {
    throw new RbeeError("model_not_found", `This worker serves ${api.model}, not ${request.model}.`, {
      param: "model",
      suggestion: `Ask for ${api.model}, or load the other model into a worker of its own.`,
    });
  }
  const { engine, scheduler, prompts } = ready;
  const work = generationRequest(request, engine, prompts);
  const fingerprint = `rbee-${api.version}-${engine.facts.release}-${engine.facts.backend}`;
  const envelope = envelopeFor(api.model, fingerprint, context.req.header("x-request-id"));
  const { outgoing } = context.env;
  if (request.stream !== true) return context.json(await wholeChat(scheduler, work, envelope, outgoing));
  streamChat(scheduler, work, request, envelope, outgoing);
  return RESPONSE_ALREADY_SENT;
}
