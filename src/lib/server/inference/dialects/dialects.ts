import {
  RbeeError,
  type CountTokensRequest,
  type countTokensAnswerSchema,
  type DetokenizeRequest,
  type InputTokens,
  type MessagesRequest,
  type ModelResponse,
  type ResponsesRequest,
  type TokenizeRequest,
} from "@rbee/contract";
import type * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { InferenceService } from "../inference.ts";
import type { Reply } from "../reply.ts";
import type { RequestContext } from "../types.ts";
import * as anthropic from "./anthropic/index.ts";
import { createOllama, type OllamaDialect, type OllamaOptions } from "./ollama/index.ts";
import { ResponseMemory, chatOf, conversationOf, responseTelling } from "./responses/index.ts";
import { retell } from "./retell.ts";
import { valueOf } from "./whole.ts";

/** The household's models for apps that speak another API than OpenAI's chats. Errors are those of `Inference.chat`. */
export interface Dialects extends OllamaDialect {
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
  /** llama-server's own. @throws {RbeeError} also `invalid_request` when no model is named and there are several. */
  tokenize(person: Person, request: TokenizeRequest, context: RequestContext): Promise<Reply>;
  detokenize(person: Person, request: DetokenizeRequest, context: RequestContext): Promise<Reply>;
}

export interface DialectOptions extends OllamaOptions {
  inference: Pick<
    InferenceService,
    "chat" | "complete" | "embed" | "countTokens" | "tokenize" | "detokenize" | "readinessFor"
  >;
}

export function createDialects(options: DialectOptions): Dialects {
  const { inference, models, now } = options;
  const memory = new ResponseMemory(now);

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
    ...createOllama(options),
    tokenize: (person, request, context) => inference.tokenize(person, only(request.model), request, context),
    detokenize: (person, request, context) => inference.detokenize(person, only(request.model), request, context),
  };
}
