import {
  RbeeError,
  type Completion,
  type Embeddings,
  type HiveModel,
  type OllamaChatRequest,
  type ollamaEmbedAnswerSchema,
  type OllamaEmbedRequest,
  type OllamaGenerateRequest,
  type ollamaRunningSchema,
  type ollamaShowSchema,
  type ollamaTagsSchema,
  type WorkerTelemetry,
} from "@rbee/contract";
import type * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { InferenceService } from "../../inference.ts";
import { Reply } from "../../reply.ts";
import type { RequestContext } from "../../types.ts";
import { retell, type Telling } from "../retell.ts";
import { valueOf } from "../whole.ts";
import { chatShape, createTelling, generateShape } from "./answer.ts";
import { chunkAsChat, completionOf, wholeAsChat } from "./completion.ts";
import { embedAnswer, embeddingsOf } from "./embed.ts";
import { runningOf, shownExternal, shownModel, tagsOf } from "./models.ts";
import { chatOf, modelNameOf, promptedChatOf, untagged } from "./request.ts";

/** The household as an Ollama server. Errors are those of `Inference.chat`. */
export interface OllamaDialect {
  ollamaChat(person: Person, request: OllamaChatRequest, context: RequestContext): Promise<Reply>;
  ollamaGenerate(person: Person, request: OllamaGenerateRequest, context: RequestContext): Promise<Reply>;
  ollamaEmbed(
    person: Person,
    request: OllamaEmbedRequest,
    context: RequestContext,
  ): Promise<z.infer<typeof ollamaEmbedAnswerSchema>>;
  ollamaTags(): z.infer<typeof ollamaTagsSchema>;
  ollamaRunning(): z.infer<typeof ollamaRunningSchema>;
  /** @throws {RbeeError} `model_not_found`. */
  ollamaShow(name: string): z.infer<typeof ollamaShowSchema>;
}

export interface OllamaOptions {
  inference: Pick<InferenceService, "chat" | "complete" | "embed" | "readinessFor">;
  /** Every model once. */
  models: () => readonly HiveModel[];
  workers: () => readonly WorkerTelemetry[];
  /** The model that a name means; the name itself when it means none. */
  resolve: (name: string) => string;
  loadWaitMs: number;
  now: () => number;
}

/** Completions told by what tells chats. */
const completionTelling = (telling: Telling): Telling<Completion, Completion> => ({
  contentType: telling.contentType,
  whole: (completion) => telling.whole(wholeAsChat(completion)),
  stream() {
    const inner = telling.stream();
    return {
      chunk: (chunk) => inner.chunk(chunkAsChat(chunk)),
      end: () => inner.end(),
      error: (error) => inner.error(error),
    };
  },
});

export function createOllama(options: OllamaOptions): OllamaDialect {
  const { inference, models, workers, resolve, now } = options;
  /** What servers of others serve: of these little is known but their names. */
  const externals = () => {
    const ids = new Set(models().map(({ id }) => id));
    const served = workers().filter(
      ({ model, state, external }) => external !== undefined && state === "ready" && !ids.has(model),
    );
    return [...new Map(served.map((worker) => [worker.model, worker])).values()];
  };
  /** The model that a name means. The tag may be part of an alias, or only what Ollama's apps put behind every name. */
  const idOf = (name: string): string => {
    const isThere = (id: string) =>
      models().some((model) => model.id === id) || externals().some(({ model }) => model === id);
    // Another Ollama's models have the tag in their very names.
    const named = [resolve(name), resolve(untagged(name)), modelNameOf(name)];
    return named.find(isThere) ?? resolve(untagged(name));
  };

  /** Ollama's way to load a model: a request that asks nothing. */
  const load = async (
    person: Person,
    name: string,
    shape: object,
    request: OllamaChatRequest | OllamaGenerateRequest,
    { signal, where = {} }: RequestContext,
  ) => {
    if (request.keep_alive === 0 || request.keep_alive === "0")
      throw new RbeeError("invalid_request", "`keep_alive`: apps cannot unload a model here.", {
        param: "keep_alive",
        suggestion: "How long an idle model stays loaded is set for each model; an administrator can stop its worker.",
      });
    await inference.readinessFor(person).ready({
      model: idOf(name),
      where,
      waitMs: options.loadWaitMs,
      signal,
    });
    const line = JSON.stringify({
      model: name,
      created_at: new Date(now()).toISOString(),
      ...shape,
      done: true,
      done_reason: "load",
    });
    return request.stream
      ? new Reply({ "content-type": "application/x-ndjson" }, `${line}\n`)
      : new Reply({ "content-type": "application/json" }, line);
  };

  /** With Ollama's `num_ctx`: a worker whose slots have that much, which another one is started for when it must. */
  const withRoom = (context: RequestContext, name: string, tokens: number | undefined): RequestContext => {
    if (tokens === undefined) return context;
    const id = idOf(name);
    const trained = models().find((model) => model.id === id)?.context_length ?? null;
    if (trained !== null && tokens > trained)
      throw new RbeeError(
        "invalid_request",
        `\`options.num_ctx\`: ${id} has a context of ${trained} tokens, not ${tokens}.`,
        { param: "options.num_ctx", details: { context_length: trained, requested: tokens } },
      );
    return { ...context, where: { contextLength: tokens } };
  };

  return {
    async ollamaChat(person, request, context) {
      const { model } = request;
      const roomy = withRoom(context, model, request.options?.num_ctx);
      if (request.messages.length === 0) return load(person, model, chatShape({ content: "" }), request, roomy);
      const telling = createTelling({ model, startedAt: performance.now(), shape: chatShape });
      return retell(await inference.chat(person, { ...chatOf(request), model: idOf(model) }, roomy), telling);
    },
    async ollamaGenerate(person, request, context) {
      const { model, prompt, raw, suffix = "" } = request;
      const roomy = withRoom(context, model, request.options?.num_ctx);
      if (prompt === "" && suffix === "") return load(person, model, generateShape({ content: "" }), request, roomy);
      const telling = createTelling({ model, startedAt: performance.now(), shape: generateShape });
      if (raw === true || suffix !== "")
        return retell(
          await inference.complete(person, { ...completionOf(request), model: idOf(model) }, roomy),
          completionTelling(telling),
        );
      return retell(await inference.chat(person, { ...promptedChatOf(request), model: idOf(model) }, roomy), telling);
    },
    async ollamaEmbed(person, request, context) {
      const startedAt = performance.now();
      const roomy = withRoom(context, request.model, request.options?.num_ctx);
      const reply = await inference.embed(person, { ...embeddingsOf(request), model: idOf(request.model) }, roomy);
      return embedAnswer(valueOf<Embeddings>(reply), { model: request.model, startedAt });
    },
    ollamaTags: () => tagsOf(models(), externals()),
    ollamaRunning: () => runningOf(models(), workers(), now()),
    ollamaShow(name) {
      const id = idOf(name);
      const model = models().find((each) => each.id === id);
      if (model !== undefined) return shownModel(model);
      const external = externals().find((worker) => worker.model === id);
      if (external !== undefined) return shownExternal(external);
      throw new RbeeError("model_not_found", `No hive of this household has the model ${name}.`);
    },
  };
}
