import {
  RbeeError,
  type AnthropicMessage,
  type ChatMessage,
  type ChatRequest,
  type CountTokensRequest,
  type MessagesRequest,
} from "@rbee/contract";

type Conversation = Pick<CountTokensRequest, "model" | "messages" | "system" | "tools" | "tool_choice" | "thinking">;
type UserBlock = Exclude<Extract<AnthropicMessage, { role: "user" }>["content"], string>[number];
type AssistantBlock = Exclude<Extract<AnthropicMessage, { role: "assistant" }>["content"], string>[number];
type ToolResult = Extract<UserBlock, { type: "tool_result" }>;

const textOf = (content: string | readonly { text: string }[] | undefined): string =>
  typeof content === "string" ? content : (content ?? []).map(({ text }) => text).join("");

/** What a tool gave. Chat templates know no failed results, so the words say it. */
function resultText({ content, is_error }: ToolResult): string {
  const text = textOf(content);
  return is_error === true ? `Error: ${text}` : text;
}

function userMessages(blocks: readonly UserBlock[], calls: ReadonlySet<string>, at: string): ChatMessage[] {
  const messages: ChatMessage[] = [];
  let texts: { type: "text"; text: string }[] = [];
  const flush = () => {
    if (texts.length > 0) messages.push({ role: "user", content: texts });
    texts = [];
  };
  for (const [index, block] of blocks.entries()) {
    if (block.type === "text") {
      texts.push({ type: "text", text: block.text });
      continue;
    }
    if (!calls.has(block.tool_use_id))
      throw new RbeeError("invalid_request", `No earlier message has a tool_use with the id "${block.tool_use_id}".`, {
        param: `${at}.content[${index}].tool_use_id`,
      });
    flush();
    messages.push({ role: "tool", tool_call_id: block.tool_use_id, content: resultText(block) });
  }
  flush();
  return messages;
}

function assistantMessage(blocks: readonly AssistantBlock[]): ChatMessage {
  const text = blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");
  const thinking = blocks.flatMap((block) => (block.type === "thinking" ? [block.thinking] : [])).join("");
  const calls = blocks.flatMap((block) =>
    block.type === "tool_use"
      ? [
          {
            id: block.id,
            type: "function" as const,
            function: { name: block.name, arguments: JSON.stringify(block.input) },
          },
        ]
      : [],
  );
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(thinking === "" ? {} : { reasoning_content: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function messagesOf({ system, messages }: Pick<Conversation, "system" | "messages">): ChatMessage[] {
  const instructions = textOf(system);
  const calls = new Set<string>();
  const told: ChatMessage[] = instructions === "" ? [] : [{ role: "system", content: instructions }];
  for (const [index, { role, content }] of messages.entries()) {
    if (typeof content === "string") told.push({ role, content });
    else if (role === "user") told.push(...userMessages(content, calls, `messages[${index}]`));
    else {
      for (const block of content) if (block.type === "tool_use") calls.add(block.id);
      told.push(assistantMessage(content));
    }
  }
  return told;
}

function toolChoiceOf(choice: NonNullable<Conversation["tool_choice"]>): ChatRequest["tool_choice"] {
  switch (choice.type) {
    case "any":
      return "required";
    case "tool":
      return { type: "function", function: { name: choice.name } };
    default:
      return choice.type;
  }
}

/** What a conversation asks for, apart from how it is to be answered. */
function conversationOf(request: Conversation): Pick<ChatRequest, "model" | "messages"> & Partial<ChatRequest> {
  const { model, tools, tool_choice: choice, thinking } = request;
  return {
    model,
    messages: messagesOf(request),
    ...(tools === undefined || tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, input_schema, strict }) => ({
            type: "function" as const,
            function: {
              name,
              ...(description === undefined ? {} : { description }),
              parameters: input_schema,
              ...(strict === undefined ? {} : { strict }),
            },
          })),
        }),
    ...(choice === undefined ? {} : { tool_choice: toolChoiceOf(choice) }),
    ...(choice !== undefined && choice.type !== "none" && choice.disable_parallel_tool_use !== undefined
      ? { parallel_tool_calls: !choice.disable_parallel_tool_use }
      : {}),
    ...(thinking === undefined ? {} : { chat_template_kwargs: { enable_thinking: thinking.type !== "disabled" } }),
  };
}

/**
 * An Anthropic message request as the chat that it asks for.
 * @throws {RbeeError} `invalid_request` for the result of a tool that was not called.
 */
export function chatOf(request: MessagesRequest): ChatRequest {
  const { max_tokens, stream, stop_sequences: stop, temperature, top_p, top_k, output_config } = request;
  const schema = output_config?.format?.schema;
  return {
    ...conversationOf(request),
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    max_tokens,
    ...(stop === undefined || stop.length === 0 ? {} : { stop }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(top_k === undefined ? {} : { top_k }),
    ...(schema === undefined
      ? {}
      : { response_format: { type: "json_schema", json_schema: { name: "answer", schema, strict: true } } }),
  };
}

/** The chat whose prompt is to be counted. @throws {RbeeError} as {@link chatOf}. */
export function countedChat(request: CountTokensRequest): ChatRequest {
  return { ...conversationOf(request), stream: false };
}
