import type {
  ChatAnswer,
  ChatMessage,
  FinishReason,
  ModelResponse,
  ResponseOutputItem,
  ResponsesRequest,
  ResponseUsage,
  Usage,
} from "@rbee/contract";

/** What a response is before anything of it was answered. */
export function openResponse(request: ResponsesRequest, id: string, nowMs: number): ModelResponse {
  return {
    id,
    object: "response",
    created_at: Math.floor(nowMs / 1_000),
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    model: request.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    store: request.store !== false,
    temperature: request.temperature ?? 1,
    text: { format: request.text?.format ?? { type: "text" } },
    tool_choice: request.tool_choice ?? "auto",
    tools: request.tools ?? [],
    top_p: request.top_p ?? 1,
    truncation: "disabled",
    usage: null,
    user: request.user ?? null,
    metadata: request.metadata ?? {},
  };
}

export function usageOf(usage: Usage): ResponseUsage {
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: usage.completion_tokens_details?.reasoning_tokens ?? 0 },
    total_tokens: usage.total_tokens,
  };
}

/** The response when its answer has ended. */
export function endedResponse(
  open: ModelResponse,
  ending: { output: ResponseOutputItem[]; finish: FinishReason | null; usage: Usage | null; model: string },
): ModelResponse {
  const cut = ending.finish === "length";
  return {
    ...open,
    model: ending.model,
    status: cut ? "incomplete" : "completed",
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    output: ending.output,
    usage: ending.usage === null ? null : usageOf(ending.usage),
  };
}

/** Ids of a response's items: they come from the response's own, so that every event names the same ones. */
export const itemId = (kind: "msg" | "fc" | "rs", responseId: string, index: number): string =>
  `${kind}_${responseId.replace(/^resp_/u, "")}_${index}`;

/** A whole chat answer as items, in the order in which a model makes them. */
export function itemsOf({ choices }: ChatAnswer, responseId: string): ResponseOutputItem[] {
  const choice = choices[0];
  if (choice === undefined) return [];
  const { content, reasoning_content: thinking, tool_calls: calls = [] } = choice.message;
  const items: ResponseOutputItem[] = [];
  if (thinking !== undefined && thinking !== "")
    items.push({
      type: "reasoning",
      id: itemId("rs", responseId, items.length),
      summary: [],
      content: [{ type: "reasoning_text", text: thinking }],
      status: "completed",
    });
  if (typeof content === "string" && (content !== "" || calls.length === 0))
    items.push({
      type: "message",
      id: itemId("msg", responseId, items.length),
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: content, annotations: [], logprobs: [] }],
    });
  for (const call of calls)
    items.push({
      type: "function_call",
      id: itemId("fc", responseId, items.length),
      call_id: call.id,
      name: call.function.name,
      arguments: call.function.arguments,
      status: "completed",
    });
  // What was cut is the last thing that was begun.
  const last = items.at(-1);
  if (choice.finish_reason === "length" && last !== undefined) last.status = "incomplete";
  return items;
}

/** What was answered, as the message that the next turn goes on from; null when nothing was. */
export function answeredMessage(output: readonly ResponseOutputItem[]): ChatMessage | null {
  if (output.length === 0) return null;
  const text = output
    .flatMap((item) => (item.type === "message" ? item.content.map((part) => part.text) : []))
    .join("");
  const thought = output
    .flatMap((item) => (item.type === "reasoning" ? item.content.map((part) => part.text) : []))
    .join("");
  const calls = output.flatMap((item) =>
    item.type === "function_call"
      ? [
          {
            id: item.call_id,
            type: "function" as const,
            function: { name: item.name, arguments: item.arguments },
          },
        ]
      : [],
  );
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(thought === "" ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}
