import type {
  AnswerBlock,
  ChatAnswer,
  FinishReason,
  MessagesAnswer,
  MessagesUsage,
  StopReason,
  Usage,
} from "@rbee/contract";

/** Anthropic's name for why an answer ended. @param matched the stop string that it met, when it met one. */
export function stopReasonOf(finish: FinishReason | null, matched: string | null): StopReason | null {
  if (finish === null) return null;
  if (finish === "length") return "max_tokens";
  if (finish === "tool_calls") return "tool_use";
  return matched === null ? "end_turn" : "stop_sequence";
}

/** Anthropic counts the part of a prompt that was in the cache apart from the part that was not. */
export function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details }: Usage): MessagesUsage {
  const cached = prompt_tokens_details.cached_tokens;
  return {
    input_tokens: prompt_tokens - cached,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cached,
    output_tokens: completion_tokens,
  };
}

/** What Anthropic's shape says where nobody counted. */
export const noUsage: MessagesUsage = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 0,
};

/** A message's id, from the one of the chat that it was. */
export const messageId = (chatId: string): string => `msg_${chatId.replace(/^chatcmpl-/u, "")}`;

/** A tool's arguments as an object; an answer that was cut off may hold half of one, which is told as none. */
function inputOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** A whole answer in Anthropic's shape. */
export function messageOf({ id, model, choices, usage }: ChatAnswer): MessagesAnswer {
  const choice = choices[0];
  const { content = "", reasoning_content: thinking, tool_calls: calls = [] } = choice?.message ?? {};
  const blocks: AnswerBlock[] = [
    ...(thinking === undefined || thinking === "" ? [] : [{ type: "thinking" as const, thinking, signature: "" }]),
    ...(content === null || content === "" ? [] : [{ type: "text" as const, text: content, citations: null }]),
    ...calls.map((call) => ({
      type: "tool_use" as const,
      id: call.id,
      name: call.function.name,
      input: inputOf(call.function.arguments),
    })),
  ];
  const matched = choice?.stop_reason ?? null;
  const reason = stopReasonOf(choice?.finish_reason ?? null, matched);
  return {
    id: messageId(id),
    type: "message",
    role: "assistant",
    model,
    content: blocks,
    stop_reason: reason,
    stop_sequence: reason === "stop_sequence" ? matched : null,
    usage: usage === null ? noUsage : usageOf(usage),
  };
}
