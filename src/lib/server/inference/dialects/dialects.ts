import {
  RbeeError,
  type Completion,
  type CountTokensRequest,
  type countTokensAnswerSchema,
  type DetokenizeRequest,
  type Embeddings,
  type HiveModel,
  type InputTokens,
  type MessagesRequest,
  type ModelResponse,
  type OllamaChatRequest,
  type ollamaEmbedAnswerSchema,
  type OllamaEmbedRequest,
  type OllamaGenerateRequest,
  type ollamaRunningSchema,
  type ollamaShowSchema,
  type ollamaTagsSchema,
  type ResponsesRequest,
  type TokenizeRequest,
  type WorkerTelemetry,
} from "@rbee/contract";
import type { z } from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { InferenceService } from "../inference.ts";
import { Reply } from "../reply.ts";
import type { RequestContext } from "../types.ts";
import * as anthropic from "./anthropic/index.ts";
import * as ollama from "./ollama/index.ts";
import { ResponseMemory, chatOf, conversationOf, responseTelling } from "./responses/index.ts";
import { retell, type Telling } from "./retell.ts";

/** The household's models for apps that speak another API than OpenAI's chats. Errors are those of `Inference.chat`. */
export interface Dialects {
  /** Anthropic's messages. */
  messages(person: Person, request: MessagesRequest, context: RequestContext): Promise<Reply>;
  countMessageTokens(
    person: Person,
    request: CountTokensRequest,
    context: RequestContext,
  ): Promise<z.infer<typeof countTokensAnswerSchema>>;
  /** OpenAI's responses. @throws {RbeeError} also `invalid_request` for a previous response that is gone. */
  respond(person: Person, request: ResponsesRequest, context: RequestContext): Promise<Reply>;
  /** @throws {RbeeError} `not_found`. */
  response(person: Person, id: string): ModelResponse;
  forgetResponse(person: Person, id: string): void;
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
  /** llama-server's own. @throws {RbeeError} also `invalid_request` when no model is named and there are several. */
  tokenize(person: Person, request: TokenizeRequest, context: RequestContext): Promise<Reply>;
  detokenize(person: Person, request: DetokenizeRequest, context: RequestContext): Promise<Reply>;
}

export interface DialectOptions {
  inference: Pick<
    InferenceService,
    "chat" | "complete" | "embed" | "countTokens" | "tokenize" | "detokenize" | "readiness"
  >;
  /** Every model once. */
  models: () => readonly HiveModel[];
  workers: () => readonly WorkerTelemetry[];
  /** The model that a name means; the name itself when it means none. */
  resolve: (name: string) => string;
  loadWaitMs: number;
  now: () => number;
}

/** The value of a whole JSON answer. */
function valueOf<T>({ body }: Reply): T {
  if (typeof body !== "string") throw new Error("a whole answer was asked for");
  return JSON.parse(body) as T;
}

/** Completions told by what tells chats. */
const completionTelling = (telling: Telling): Telling<Completion, Completion> => ({
  contentType: telling.contentType,
  whole: (completion) => telling.whole(ollama.wholeAsChat(completion)),
  stream() {
    const inner = telling.stream();
    return {
      chunk: (chunk) => inner.chunk(ollama.chunkAsChat(chunk)),
      end: () => inner.end(),
      error: (error) => inner.error(error),
    };
  },
});

export function createDialects(options: DialectOptions): Dialects {
  const { inference, models, workers, resolve, now } = options;
  const memory = new ResponseMemory(now);

  /** Ollama's way to load a model: a request that asks nothing. */
  const load = async (
    name: string,
    shape: object,
    request: OllamaChatRequest | OllamaGenerateRequest,
    signal: AbortSignal,
  ) => {
    if (request.keep_alive === 0 || request.keep_alive === "0")
      throw new RbeeError("invalid_request", "`keep_alive`: apps cannot unload a model here.", {
        param: "keep_alive",
        suggestion: "How long an idle model stays loaded is set for each model; an administrator can stop its worker.",
      });
    await inference.readiness.ready({
      model: resolve(ollama.modelIdOf(name)),
      where: {},
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

  const only = (asked: string | undefined): string => {
    if (asked !== undefined) return asked;
    const [first, ...others] = models();
    if (first !== undefined && others.length === 0) return first.id;
    throw new RbeeError("invalid_request", "`model`: is needed, since there is not just one.", {
      param: "model",
      details: { models: models().map(({ id }) => id) },
    });
  };

  return {
    async messages(person, request, context) {
      return retell(await inference.chat(person, anthropic.chatOf(request), context), anthropic.messageTelling);
    },
    async countMessageTokens(person, request, context) {
      const reply = await inference.countTokens(person, anthropic.countedChat(request), context);
      return { input_tokens: valueOf<InputTokens>(reply).input_tokens };
    },
    async respond(person, request, context) {
      const previous = request.previous_response_id ?? null;
      const earlier = previous === null ? [] : memory.conversation(person.user.id, previous);
      const conversation = conversationOf(request.input, earlier);
      const telling = responseTelling(request, {
        id: `resp_${crypto.randomUUID().replaceAll("-", "")}`,
        nowMs: now(),
        conversation,
        onEnd: (response, whole) => {
          if (response.store) memory.keep(person.user.id, response, whole);
        },
      });
      return retell(await inference.chat(person, chatOf(request, conversation), context), telling);
    },
    response: (person, id) => memory.response(person.user.id, id),
    forgetResponse(person, id) {
      memory.forget(person.user.id, id);
    },
    async ollamaChat(person, request, context) {
      const { model } = request;
      const shape = ollama.chatShape;
      if (request.messages.length === 0) return load(model, shape({ content: "" }), request, context.signal);
      const telling = ollama.createTelling({ model, startedAt: performance.now(), shape });
      return retell(await inference.chat(person, ollama.chatOf(request), context), telling);
    },
    async ollamaGenerate(person, request, context) {
      const { model, prompt, raw, suffix = "" } = request;
      const shape = ollama.generateShape;
      if (prompt === "" && suffix === "") return load(model, shape({ content: "" }), request, context.signal);
      const telling = ollama.createTelling({ model, startedAt: performance.now(), shape });
      if (raw === true || suffix !== "") {
        const reply = await inference.complete(person, ollama.completionOf(request), context);
        return retell(reply, completionTelling(telling));
      }
      return retell(await inference.chat(person, ollama.promptedChatOf(request), context), telling);
    },
    async ollamaEmbed(person, request, context) {
      const startedAt = performance.now();
      const reply = await inference.embed(person, ollama.embeddingsOf(request), context);
      return ollama.embedAnswer(valueOf<Embeddings>(reply), { model: request.model, startedAt });
    },
    ollamaTags: () => ollama.tagsOf(models()),
    ollamaRunning: () => ollama.runningOf(models(), workers(), now()),
    ollamaShow(name) {
      const id = resolve(ollama.modelIdOf(name));
      const model = models().find((each) => each.id === id);
      if (model === undefined)
        throw new RbeeError("model_not_found", `No hive of this household has the model ${name}.`);
      return ollama.shownModel(model);
    },
    tokenize: (person, request, context) => inference.tokenize(person, only(request.model), request, context),
    detokenize: (person, request, context) => inference.detokenize(person, only(request.model), request, context),
  };
}
