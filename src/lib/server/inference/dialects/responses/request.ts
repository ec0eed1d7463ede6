import {
  RbeeError,
  type ChatMessage,
  type ChatRequest,
  type ResponseInputItem,
  type ResponsesRequest,
} from "@rbee/contract";

type Item<T extends string> = Extract<ResponseInputItem, { type: T }>;
type Message = Extract<ResponseInputItem, { role: string }>;
type Assistant = Extract<ChatMessage, { role: "assistant" }>;

const textOf = (content: string | readonly { text: string }[]): string =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("");

const isMessage = (item: ResponseInputItem): item is Message => "role" in item;

/** Puts items together into messages: what a model thought, said and called in one turn is one message. */
class Turns {
  readonly messages: ChatMessage[];
  readonly #calls: Set<string>;
  #open: Assistant | null = null;

  constructor(earlier: readonly ChatMessage[]) {
    this.messages = [...earlier];
    this.#calls = new Set(
      earlier.flatMap((message) =>
        message.role === "assistant" ? (message.tool_calls ?? []).map(({ id }) => id) : [],
      ),
    );
  }

  #assistant(): Assistant {
    if (this.#open === null) {
      this.#open = { role: "assistant", content: null };
      this.messages.push(this.#open);
    }
    return this.#open;
  }

  say({ role, content }: Message): void {
    const text = textOf(content);
    if (role !== "assistant") {
      this.#open = null;
      this.messages.push({ role, content: text });
      return;
    }
    const open = this.#open;
    // A second message of the model's begins a turn of its own.
    if (open !== null && (open.content !== null || open.tool_calls !== undefined)) this.#open = null;
    this.#assistant().content = text;
  }

  think({ content, summary }: Item<"reasoning">): void {
    this.#open = null;
    const text = textOf(content ?? summary);
    if (text !== "") this.#assistant().reasoning_content = text;
  }

  call({ call_id, name, arguments: args }: Item<"function_call">): void {
    this.#calls.add(call_id);
    const turn = this.#assistant();
    turn.tool_calls = [
      ...(turn.tool_calls ?? []),
      { id: call_id, type: "function", function: { name, arguments: args } },
    ];
  }

  result({ call_id, output }: Item<"function_call_output">, at: number): void {
    if (!this.#calls.has(call_id))
      throw new RbeeError("invalid_request", `No earlier item calls a function with the id "${call_id}".`, {
        param: `input[${at}].call_id`,
      });
    this.#open = null;
    this.messages.push({ role: "tool", tool_call_id: call_id, content: textOf(output) });
  }
}

/**
 * The conversation that a request goes on with, its own input at the end. Instructions are not part of it: they hold
 * for one request.
 * @throws {RbeeError} `invalid_request` for the output of a function that was not called.
 */
export function conversationOf(input: ResponsesRequest["input"], earlier: readonly ChatMessage[]): ChatMessage[] {
  if (typeof input === "string") return [...earlier, { role: "user", content: input }];
  const turns = new Turns(earlier);
  for (const [at, item] of input.entries()) {
    if (isMessage(item)) turns.say(item);
    else if (item.type === "function_call") turns.call(item);
    else if (item.type === "function_call_output") turns.result(item, at);
    else turns.think(item);
  }
  return turns.messages;
}

function formatOf(text: ResponsesRequest["text"]): ChatRequest["response_format"] {
  const format = text?.format;
  if (format === undefined) return undefined;
  if (format.type !== "json_schema") return format;
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    json_schema: {
      name,
      schema,
      ...(description === undefined ? {} : { description }),
      ...(strict === null || strict === undefined ? {} : { strict }),
    },
  };
}

function toolsOf(tools: NonNullable<ResponsesRequest["tools"]>): ChatRequest["tools"] {
  return tools.map(({ name, description, parameters, strict }) => ({
    type: "function" as const,
    function: {
      name,
      ...(description === null || description === undefined ? {} : { description }),
      ...(parameters === null || parameters === undefined ? {} : { parameters }),
      ...(strict === null || strict === undefined ? {} : { strict }),
    },
  }));
}

/** The chat that a request asks for, in a conversation that is put together already. */
export function chatOf(request: ResponsesRequest, conversation: readonly ChatMessage[]): ChatRequest {
  const { model, instructions, stream, max_output_tokens, temperature, top_p, tools, tool_choice: choice } = request;
  const format = formatOf(request.text);
  return {
    model,
    messages: [
      ...(typeof instructions === "string" && instructions !== ""
        ? [{ role: "system" as const, content: instructions }]
        : []),
      ...conversation,
    ],
    stream: stream === true,
    ...(stream === true ? { stream_options: { include_usage: true } } : {}),
    ...(max_output_tokens === null || max_output_tokens === undefined ? {} : { max_tokens: max_output_tokens }),
    ...(temperature === null || temperature === undefined ? {} : { temperature }),
    ...(top_p === null || top_p === undefined ? {} : { top_p }),
    ...(tools === undefined || tools.length === 0 ? {} : { tools: toolsOf(tools) }),
    ...(choice === undefined
      ? {}
      : {
          tool_choice:
            typeof choice === "string" ? choice : { type: "function" as const, function: { name: choice.name } },
        }),
    ...(typeof request.parallel_tool_calls === "boolean" ? { parallel_tool_calls: request.parallel_tool_calls } : {}),
    ...(format === undefined ? {} : { response_format: format }),
  };
}
