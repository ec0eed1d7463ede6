import { RbeeError, type ChatMessage } from "@rbee/contract";
import type { Json } from "./guarded-values.ts";

type AssistantMessage = Extract<ChatMessage, { role: "assistant" }>;

function textOf(content: ChatMessage["content"]): string {
  if (content === null || content === undefined) return "";
  return typeof content === "string" ? content : content.map((part) => part.text).join("\n");
}

function argumentsOf(text: string, place: string, asObjects: boolean): Json {
  if (!asObjects) return text;
  try {
    return JSON.parse(text === "" ? "{}" : text) as Json;
  } catch (cause) {
    throw new RbeeError("invalid_request", `\`${place}\`: is not valid JSON.`, { param: place, cause });
  }
}

function callsOf(message: AssistantMessage, index: number, asObjects: boolean): Json {
  return (message.tool_calls ?? []).map((call, at) => ({
    id: call.id,
    type: "function",
    function: {
      name: call.function.name,
      arguments: argumentsOf(
        call.function.arguments,
        `messages[${index}].tool_calls[${at}].function.arguments`,
        asObjects,
      ),
    },
  }));
}

/**
 * Messages as chat templates know them. Templates write the arguments of earlier calls either as they are or as JSON of
 * them, so they want text or objects. A tool's answer gets the tool's name, which some templates write.
 * @throws {RbeeError} `invalid_request` for arguments that are not JSON.
 */
export function templateMessages(messages: readonly ChatMessage[], argumentsAsObjects: boolean): Json[] {
  const called = new Map<string, string>();
  return messages.map((message, index) => {
    const common = {
      // OpenAI's newer name for the same thing, which no template knows.
      role: message.role === "developer" ? "system" : message.role,
      content: textOf(message.content),
      ...(message.name === undefined ? {} : { name: message.name }),
    };
    if (message.role === "tool") {
      const name = message.name ?? called.get(message.tool_call_id);
      return { ...common, tool_call_id: message.tool_call_id, ...(name === undefined ? {} : { name }) };
    }
    if (message.role !== "assistant") return common;
    for (const call of message.tool_calls ?? []) called.set(call.id, call.function.name);
    const thought = message.reasoning_content ?? "";
    return {
      ...common,
      ...(thought === "" ? {} : { reasoning_content: thought }),
      ...((message.tool_calls ?? []).length === 0 ? {} : { tool_calls: callsOf(message, index, argumentsAsObjects) }),
    };
  });
}
