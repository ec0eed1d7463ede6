import type { ChatCompletion, FinishReason, Timings, TokenLogprob, ToolCall, Usage } from "@rbee/contract";
import type { ChatPart } from "./chat-answer.ts";
import type { Envelope } from "./envelope.ts";

const logprobsJson = (logprobs: readonly TokenLogprob[] | null) =>
  logprobs === null ? "null" : `{"content":${JSON.stringify(logprobs)},"refusal":null}`;

/** Why a choice ended. */
export interface ChoiceEnd {
  readonly reason: FinishReason;
  /** The stop string that ended it. */
  readonly stop: string | null;
}

/** A choice of a whole answer, put together from its parts. */
export function choiceOf(
  index: number,
  parts: readonly ChatPart[],
  { reason, stop }: ChoiceEnd,
  withLogprobs: boolean,
): ChatCompletion["choices"][number] {
  let [content, reasoning] = ["", ""];
  const logprobs: TokenLogprob[] = [];
  const calls: ToolCall[] = [];
  for (const part of parts) {
    if (part.kind === "content") {
      content += part.text;
      logprobs.push(...(part.logprobs ?? []));
    } else if (part.kind === "reasoning") reasoning += part.text;
    else if (part.kind === "call")
      calls.push({ id: part.id, type: "function", function: { name: part.name, arguments: "" } });
    else {
      const call = calls[part.call];
      if (call !== undefined) call.function.arguments += part.text;
    }
  }
  return {
    index,
    message: {
      role: "assistant",
      content: calls.length > 0 && content.trim() === "" ? null : content,
      ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      refusal: null,
    },
    logprobs: withLogprobs ? { content: logprobs, refusal: null } : null,
    finish_reason: reason,
    ...(stop === null ? {} : { stop_reason: stop }),
  };
}

/** A whole answer. */
export function completionOf(
  envelope: Envelope,
  choices: ChatCompletion["choices"],
  usage: Usage,
  timings: Timings,
): ChatCompletion {
  return {
    id: envelope.id,
    object: "chat.completion",
    created: envelope.created,
    model: envelope.model,
    system_fingerprint: envelope.fingerprint,
    choices,
    usage,
    timings,
  };
}

/** One part after another, as one: text that goes on. */
export function mergeParts(one: ChatPart, next: ChatPart): ChatPart | null {
  if (one.choice !== next.choice) return null;
  if (one.kind === "content" && next.kind === "content") {
    const logprobs = one.logprobs === null ? null : [...one.logprobs, ...(next.logprobs ?? [])];
    return { ...one, text: one.text + next.text, logprobs };
  }
  if (one.kind === "reasoning" && next.kind === "reasoning") return { ...one, text: one.text + next.text };
  if (one.kind === "arguments" && next.kind === "arguments" && one.call === next.call)
    return { ...one, text: one.text + next.text };
  return null;
}

function deltaJson(part: ChatPart): string {
  switch (part.kind) {
    case "content":
      return `{"content":${JSON.stringify(part.text)}}`;
    case "reasoning":
      return `{"reasoning_content":${JSON.stringify(part.text)}}`;
    case "call":
      return `{"tool_calls":[{"index":${part.call},"id":"${part.id}","type":"function","function":{"name":${JSON.stringify(part.name)},"arguments":""}}]}`;
    case "arguments":
      return `{"tool_calls":[{"index":${part.call},"function":{"arguments":${JSON.stringify(part.text)}}}]}`;
  }
}

/**
 * Writes the server-sent events of one streamed answer. What does not change from token to token is serialised once,
 * because a worker writes one event per token and stream.
 */
export class ChunkWriter {
  readonly #head: string;
  readonly #tail: string;
  readonly #usageTail: string;
  readonly #named = new Set<number>();

  /** With `includeUsage`, all chunks have `usage` as OpenAI's do: null until the extra last one. */
  constructor(envelope: Envelope, includeUsage: boolean) {
    const fields = JSON.stringify({
      id: envelope.id,
      object: "chat.completion.chunk",
      created: envelope.created,
      model: envelope.model,
      system_fingerprint: envelope.fingerprint,
    });
    this.#head = `data: ${fields.slice(0, -1)},"choices":[`;
    this.#usageTail = includeUsage ? `,"usage":null` : "";
    this.#tail = `,"finish_reason":null}]${this.#usageTail}}\n\n`;
  }

  /** The events of a part; before a choice's first one, that which only names the speaker. */
  part(part: ChatPart): string {
    const logprobs = part.kind === "content" ? logprobsJson(part.logprobs) : "null";
    return (
      this.#role(part.choice, part.kind === "content") +
      `${this.#head}{"index":${part.choice},"delta":${deltaJson(part)},"logprobs":${logprobs}${this.#tail}`
    );
  }

  /** The last chunk of a choice; the last one of all has llama-server's timings. */
  finish(choice: number, { reason, stop }: ChoiceEnd, timings: Timings | null): string {
    const stopped = stop === null ? "" : `,"stop_reason":${JSON.stringify(stop)}`;
    const json = `{"index":${choice},"delta":{},"logprobs":null,"finish_reason":"${reason}"${stopped}}`;
    const measured = timings === null ? "" : `,"timings":${JSON.stringify(timings)}`;
    return `${this.#role(choice, true)}${this.#head}${json}]${this.#usageTail}${measured}}\n\n`;
  }

  /** The extra chunk of `stream_options.include_usage`. */
  usage(usage: Usage): string {
    return `${this.#head}],"usage":${JSON.stringify(usage)}}\n\n`;
  }

  #role(choice: number, withContent: boolean): string {
    if (this.#named.has(choice)) return "";
    this.#named.add(choice);
    const content = withContent ? `""` : "null";
    return `${this.#head}{"index":${choice},"delta":{"role":"assistant","content":${content}},"logprobs":null${this.#tail}`;
  }
}
