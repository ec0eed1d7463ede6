import type {
  ChatChunk,
  ChatAnswer,
  ErrorBody,
  FinishReason,
  OllamaChatAnswer,
  OllamaGenerateAnswer,
  Timings,
  Usage,
} from "@rbee/contract";
import type { StreamTelling, Telling } from "../retell.ts";

const nanoseconds = (ms: number) => Math.round(ms * 1e6);

/** What one line of an answer says. */
interface Said {
  readonly content: string;
  readonly thinking?: string | undefined;
  readonly calls?: OllamaChatAnswer["message"]["tool_calls"];
}

/** Puts what is said into the shape of `/api/chat` or of `/api/generate`. */
export type Shape = (said: Said) => Pick<OllamaChatAnswer, "message"> | Pick<OllamaGenerateAnswer, "response">;

const optional = (thinking: string | undefined) => (thinking === undefined || thinking === "" ? {} : { thinking });

export const chatShape: Shape = ({ content, thinking, calls }) => ({
  message: {
    role: "assistant",
    content,
    ...optional(thinking),
    ...(calls === undefined || calls.length === 0 ? {} : { tool_calls: calls }),
  },
});

export const generateShape: Shape = ({ content, thinking }) => ({ response: content, ...optional(thinking) });

function argumentsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // The answer was cut off in the middle of them.
    return {};
  }
}

const callsOf = (calls: readonly { name: string; arguments: string }[]) =>
  calls.map(({ name, arguments: args }, index) => ({ function: { index, name, arguments: argumentsOf(args) } }));

/** Tells chats line by line as Ollama does. Durations count from `startedAt`, by `performance.now()`. */
export function createTelling(options: { model: string; startedAt: number; shape: Shape }): Telling {
  const { model, startedAt, shape } = options;
  const head = () => ({ model, created_at: new Date().toISOString() });

  const ending = (finish: FinishReason | null, timings: Timings | null, usage: Usage | null) => {
    const total = performance.now() - startedAt;
    const reason = { done: true, done_reason: finish === "length" ? "length" : "stop" };
    if (timings === null) {
      const counted =
        usage === null ? {} : { prompt_eval_count: usage.prompt_tokens, eval_count: usage.completion_tokens };
      return { ...reason, total_duration: nanoseconds(total), ...counted };
    }
    const { prompt_ms, prompt_n, cache_n, predicted_ms, predicted_n } = timings;
    return {
      ...reason,
      total_duration: nanoseconds(total),
      // Whatever came before the model began: its loading, and waiting for a turn.
      load_duration: nanoseconds(Math.max(0, total - prompt_ms - predicted_ms)),
      prompt_eval_count: prompt_n + cache_n,
      prompt_eval_duration: nanoseconds(prompt_ms),
      eval_count: predicted_n,
      eval_duration: nanoseconds(predicted_ms),
    };
  };

  const stream = (): StreamTelling => {
    const calls: { name: string; arguments: string }[] = [];
    let finish: FinishReason | null = null;
    let timings: Timings | null = null;
    let usage: Usage | null = null;
    const line = (fields: object) => `${JSON.stringify({ ...head(), ...fields })}\n`;
    return {
      chunk(chunk: ChatChunk) {
        timings = chunk.timings ?? timings;
        usage = chunk.usage ?? usage;
        const choice = chunk.choices[0];
        if (choice === undefined) return "";
        finish = choice.finish_reason ?? finish;
        const { content, reasoning_content: thinking, tool_calls: pieces } = choice.delta;
        for (const { index, function: piece } of pieces ?? []) {
          const call = (calls[index] ??= { name: "", arguments: "" });
          call.name += piece.name ?? "";
          call.arguments += piece.arguments ?? "";
        }
        if ((content ?? "") === "" && (thinking ?? "") === "") return "";
        return line({ ...shape({ content: content ?? "", thinking }), done: false });
      },
      end() {
        // Ollama tells calls whole, so they come when they are.
        const called =
          calls.length === 0 ? "" : line({ ...shape({ content: "", calls: callsOf(calls) }), done: false });
        return called + line({ ...shape({ content: "" }), ...ending(finish, timings, usage) });
      },
      error: ({ message }: ErrorBody["error"]) => `${JSON.stringify({ error: message })}\n`,
    };
  };

  return {
    contentType: "application/x-ndjson",
    whole({ choices, timings, usage }: ChatAnswer) {
      const choice = choices[0];
      const calls = callsOf((choice?.message.tool_calls ?? []).map((call) => call.function));
      return {
        ...head(),
        ...shape({ content: choice?.message.content ?? "", thinking: choice?.message.reasoning_content, calls }),
        ...ending(choice?.finish_reason ?? null, timings ?? null, usage),
      };
    },
    stream,
  };
}
