import type { ChatChunk, ErrorBody, FinishReason, ModelResponse, ResponseOutputItem, Usage } from "@rbee/contract";
import type { StreamTelling } from "../retell.ts";
import { endedResponse, itemId } from "./response.ts";

type Item<T extends ResponseOutputItem["type"]> = Extract<ResponseOutputItem, { type: T }>;

/** The item that is being answered. A function call is known by its number in the chat's stream. */
type Open =
  { readonly item: Item<"message"> | Item<"reasoning"> } | { readonly item: Item<"function_call">; call: number };

/**
 * Tells a chat stream as the Responses API does: numbered events, each item added, filled and done before the next.
 * `onEnd` gets the response as it was told last.
 */
export function createResponseStream(opened: ModelResponse, onEnd: (response: ModelResponse) => void): StreamTelling {
  const output: ResponseOutputItem[] = [];
  let sequence = 0;
  let started = false;
  let open: Open | null = null;
  let finish: FinishReason | null = null;
  let usage: Usage | null = null;
  let { model } = opened;

  const event = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  const start = (): string => {
    if (started) return "";
    started = true;
    return event("response.created", { response: opened }) + event("response.in_progress", { response: opened });
  };
  const at = () => ({ item_id: open?.item.id, output_index: output.length });

  const close = (status: "completed" | "incomplete"): string => {
    if (open === null) return "";
    const { item } = open;
    item.status = status;
    let told: string;
    if (item.type === "function_call") {
      const { name, arguments: args } = item;
      told = event("response.function_call_arguments.done", { ...at(), name, arguments: args });
    } else {
      const part = item.content[0];
      const where = { ...at(), content_index: 0 };
      const text = part?.text ?? "";
      told =
        (item.type === "message"
          ? event("response.output_text.done", { ...where, text, logprobs: [] })
          : event("response.reasoning_text.done", { ...where, text })) +
        event("response.content_part.done", { ...where, part });
    }
    told += event("response.output_item.done", { output_index: output.length, item });
    output.push(item);
    open = null;
    return told;
  };

  const enter = (next: Open): string => {
    const closed = close("completed");
    const { item } = next;
    if (item.type !== "function_call") {
      const added = event("response.output_item.added", {
        output_index: output.length,
        item: { ...item, content: [] },
      });
      open = next;
      return (
        closed + added + event("response.content_part.added", { ...at(), content_index: 0, part: item.content[0] })
      );
    }
    open = next;
    return closed + event("response.output_item.added", { output_index: output.length, item });
  };

  const say = (kind: "message" | "reasoning", text: string): string => {
    let told = "";
    if (open?.item.type !== kind) {
      const index = output.length + (open === null ? 0 : 1);
      told =
        kind === "message"
          ? enter({
              item: {
                type: "message",
                id: itemId("msg", opened.id, index),
                status: "in_progress",
                role: "assistant",
                content: [{ type: "output_text", text: "", annotations: [], logprobs: [] }],
              },
            })
          : enter({
              item: {
                type: "reasoning",
                id: itemId("rs", opened.id, index),
                summary: [],
                content: [{ type: "reasoning_text", text: "" }],
                status: "in_progress",
              },
            });
    }
    const where = { ...at(), content_index: 0 };
    const current = open;
    if (current?.item.type === "message") {
      for (const part of current.item.content) part.text += text;
      return told + event("response.output_text.delta", { ...where, delta: text, logprobs: [] });
    }
    if (current?.item.type === "reasoning") for (const part of current.item.content) part.text += text;
    return told + event("response.reasoning_text.delta", { ...where, delta: text });
  };

  const call = (piece: NonNullable<ChatChunk["choices"][number]["delta"]["tool_calls"]>[number]): string => {
    let told = "";
    if (open?.item.type !== "function_call" || !("call" in open) || open.call !== piece.index) {
      const index = output.length + (open === null ? 0 : 1);
      told = enter({
        call: piece.index,
        item: {
          type: "function_call",
          id: itemId("fc", opened.id, index),
          call_id: piece.id ?? `call_${index}`,
          name: piece.function.name ?? "",
          arguments: "",
          status: "in_progress",
        },
      });
    }
    const delta = piece.function.arguments ?? "";
    if (delta === "" || open?.item.type !== "function_call") return told;
    open.item.arguments += delta;
    return told + event("response.function_call_arguments.delta", { ...at(), delta });
  };

  return {
    alive: () => ": waiting\n\n",
    chunk(chunk) {
      let told = start();
      ({ model } = chunk);
      if (chunk.usage) ({ usage } = chunk);
      const choice = chunk.choices[0];
      if (choice === undefined) return told;
      const { content, reasoning_content: thinking, tool_calls: calls } = choice.delta;
      if (thinking !== undefined && thinking !== "") told += say("reasoning", thinking);
      if (typeof content === "string" && content !== "") told += say("message", content);
      for (const piece of calls ?? []) told += call(piece);
      finish = choice.finish_reason ?? finish;
      return told;
    },
    end() {
      // A model that had nothing to say still answers with a message.
      const empty = open === null && output.length === 0 ? say("message", "") : "";
      const told = start() + empty + close(finish === "length" ? "incomplete" : "completed");
      const response = endedResponse(opened, { output, finish, usage, model });
      onEnd(response);
      return told + event(`response.${response.status}`, { response });
    },
    error({ code, message }: ErrorBody["error"]) {
      const told = start() + close("incomplete");
      return (
        told + event("response.failed", { response: { ...opened, status: "failed", error: { code, message }, output } })
      );
    },
  };
}
