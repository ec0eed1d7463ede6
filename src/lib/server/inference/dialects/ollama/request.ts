import {
  RbeeError,
  type ChatMessage,
  type ChatRequest,
  type OllamaChatRequest,
  type OllamaGenerateRequest,
  type OllamaMessage,
  type OllamaOptions,
} from "@rbee/contract";

/** Ollama's own default, which apps written for it count on. */
const usualTemperature = 0.8;
const latest = ":latest";

/** A model's name without the tag that Ollama gives everything. */
export const untagged = (name: string): string => (name.endsWith(latest) ? name.slice(0, -latest.length) : name);

/** A model's name as Ollama writes it: always with a tag. */
export const modelNameOf = (id: string): string => (id.includes(":") ? id : `${id}${latest}`);

/** Sampling by OpenAI's and llama.cpp's names. */
export function samplingOf(options: OllamaOptions | null | undefined) {
  const { num_predict, num_ctx: _context, mirostat: _off, temperature = usualTemperature, ...rest } = options ?? {};
  return {
    ...rest,
    temperature,
    // -1 and -2 mean: as much as there is room for, which is what an answer without a limit gets.
    ...(num_predict === undefined || num_predict < 0 ? {} : { max_tokens: Math.max(1, num_predict) }),
  };
}

function formatOf(format: OllamaChatRequest["format"]): Pick<ChatRequest, "response_format"> {
  if (format === null || format === undefined || format === "") return {};
  if (format === "json") return { response_format: { type: "json_object" } };
  return { response_format: { type: "json_schema", json_schema: { name: "answer", schema: format, strict: true } } };
}

const thinkingOf = (think: boolean | null | undefined): Pick<ChatRequest, "chat_template_kwargs"> =>
  typeof think === "boolean" ? { chat_template_kwargs: { enable_thinking: think } } : {};

/** Gives the calls of a conversation ids, which Ollama's messages do not need, and results the ids of their calls. */
class Calls {
  #count = 0;
  #open: { id: string; name: string }[] = [];

  called(message: OllamaMessage): { id: string; type: "function"; function: { name: string; arguments: string } }[] {
    const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }) => ({
      id: id ?? `call_${this.#count++}`,
      type: "function" as const,
      function: { name, arguments: JSON.stringify(args) },
    }));
    if (calls.length > 0) this.#open = calls.map((call) => ({ id: call.id, name: call.function.name }));
    return calls;
  }

  answered({ tool_call_id: id, tool_name: name }: OllamaMessage, at: number): string {
    const found = this.#open.findIndex(
      (call) => (id === undefined || call.id === id) && (name === undefined || call.name === name),
    );
    const call = this.#open[found];
    if (call === undefined)
      throw new RbeeError("invalid_request", "This is the result of a tool that no earlier message calls.", {
        param: `messages[${at}]`,
      });
    this.#open.splice(found, 1);
    return call.id;
  }
}

function messagesOf(messages: readonly OllamaMessage[]): ChatMessage[] {
  const calls = new Calls();
  return messages.map((message, at): ChatMessage => {
    const { role, content, thinking } = message;
    if (role === "tool") return { role, content, tool_call_id: calls.answered(message, at) };
    if (role !== "assistant") return { role, content };
    const called = calls.called(message);
    return {
      role,
      content: content === "" && called.length > 0 ? null : content,
      ...(thinking === undefined || thinking === "" ? {} : { reasoning_content: thinking }),
      ...(called.length === 0 ? {} : { tool_calls: called }),
    };
  });
}

const streaming = (stream: boolean): Pick<ChatRequest, "stream" | "stream_options"> =>
  stream ? { stream, stream_options: { include_usage: true } } : { stream };

/**
 * The chat that `POST /api/chat` asks for.
 * @throws {RbeeError} `invalid_request` for the result of a tool that was not called.
 */
export function chatOf({ model, messages, stream, format, options, think, tools }: OllamaChatRequest): ChatRequest {
  return {
    model,
    messages: messagesOf(messages),
    ...streaming(stream),
    ...samplingOf(options),
    ...formatOf(format),
    ...thinkingOf(think),
    ...(tools === null || tools === undefined || tools.length === 0 ? {} : { tools }),
  };
}

/** The chat that `POST /api/generate` asks for when the model's template is to be used. */
export function promptedChatOf(request: OllamaGenerateRequest): ChatRequest {
  const { model, prompt, system, stream, format, options, think } = request;
  return {
    model,
    messages: [
      ...(system === undefined || system === "" ? [] : [{ role: "system" as const, content: system }]),
      { role: "user", content: prompt },
    ],
    ...streaming(stream),
    ...samplingOf(options),
    ...formatOf(format),
    ...thinkingOf(think),
  };
}
