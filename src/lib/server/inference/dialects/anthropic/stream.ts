import type { ChatChunk, ErrorBody, FinishReason } from "@rbee/contract";
import type { StreamTelling } from "../retell.ts";
import { messageId, noUsage, stopReasonOf, usageOf } from "./answer.ts";
import { errorTypeOf } from "./errors.ts";

const event = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

/** Which block is open: text, thinking, or the call with that number. */
type Open = "text" | "thinking" | number | null;

/** Tells a chat stream as Anthropic's: blocks that are opened, filled and closed one after another. */
export function createMessageStream(): StreamTelling {
  let started = false;
  let index = -1;
  let open: Open = null;
  let finish: FinishReason | null = null;
  let matched: string | null = null;
  let usage = noUsage;

  const start = ({ id, model }: ChatChunk): string => {
    if (started) return "";
    started = true;
    const message = { id: messageId(id), type: "message", role: "assistant", model, content: [], stop_reason: null };
    return event("message_start", { message: { ...message, stop_sequence: null, usage } }) + event("ping", {});
  };
  const close = (): string => {
    if (open === null) return "";
    open = null;
    return event("content_block_stop", { index });
  };
  const enter = (block: Exclude<Open, null>, content: object): string => {
    if (open === block) return "";
    const closed = close();
    open = block;
    index++;
    return closed + event("content_block_start", { index, content_block: content });
  };
  const delta = (fields: object): string => event("content_block_delta", { index, delta: fields });

  return {
    prompt({ cached, computed }) {
      usage = { ...noUsage, input_tokens: computed, cache_read_input_tokens: cached };
    },
    // Anthropic has an event for it, but none may come before `message_start`.
    alive: () => ": waiting\n\n",
    chunk(chunk) {
      if (chunk.usage) usage = usageOf(chunk.usage);
      let told = start(chunk);
      const choice = chunk.choices[0];
      if (choice === undefined) return told;
      const { content, reasoning_content: thinking, tool_calls: calls } = choice.delta;
      if (thinking !== undefined && thinking !== "")
        told +=
          enter("thinking", { type: "thinking", thinking: "", signature: "" }) +
          delta({ type: "thinking_delta", thinking });
      if (typeof content === "string" && content !== "")
        told +=
          enter("text", { type: "text", text: "", citations: null }) + delta({ type: "text_delta", text: content });
      for (const call of calls ?? []) {
        if (call.id !== undefined)
          told += enter(call.index, { type: "tool_use", id: call.id, name: call.function.name ?? "", input: {} });
        const piece = call.function.arguments ?? "";
        if (piece !== "") told += delta({ type: "input_json_delta", partial_json: piece });
      }
      if (choice.finish_reason !== null) {
        finish = choice.finish_reason;
        matched = choice.stop_reason ?? null;
      }
      return told;
    },
    end() {
      const reason = stopReasonOf(finish, matched);
      const stop = { stop_reason: reason, stop_sequence: reason === "stop_sequence" ? matched : null };
      return close() + event("message_delta", { delta: stop, usage }) + event("message_stop", {});
    },
    error({ code, message }: ErrorBody["error"]) {
      return event("error", { error: { type: errorTypeOf(code), message, code } });
    },
  };
}
