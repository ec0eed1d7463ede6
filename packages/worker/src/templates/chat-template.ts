import { RbeeError, type ChatMessage, type Tool } from "@rbee/contract";
import { Template } from "@huggingface/jinja";
import type { Vocabulary } from "../engine/engine.ts";
import { guardValues, type Json } from "./guarded-values.ts";
import { MarkerGuard, type PromptPart } from "./literal-markers.ts";
import { templateMessages } from "./template-messages.ts";

/** What a prompt is made of. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** What the model may call; most templates tell it when there are any. */
  readonly tools?: readonly Tool[];
  /** Further values for the template. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface Prompt {
  readonly tokens: number[];
  /** The end of its text, which tells whether the model begins by thinking. */
  readonly end: string;
}

/** Turns a conversation into the tokens of a prompt, the way the model was trained on it. */
export interface PromptMaker {
  /** The model's template; null when it has none. */
  readonly template: string | null;
  /**
   * The prompt up to where the assistant's answer begins.
   * @throws {RbeeError} `invalid_request` when the model has no template or the template refuses the conversation.
   */
  prompt(conversation: Conversation): Prompt;
}

const endLength = 64;

function noTemplate(model: string): RbeeError {
  return new RbeeError("invalid_request", `The model ${model} has no chat template, so it cannot take messages.`, {
    param: "messages",
    suggestion: "Choose a model that was made for chat (its name often ends in -Instruct or -Chat).",
  });
}

function compile(source: string): Template | Error {
  try {
    return new Template(source);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A call whose arguments show how a template writes them. */
const probe = (asObject: boolean): Json[] => {
  const given = { probe: "value" };
  const call = { name: "probe", arguments: asObject ? given : JSON.stringify(given) };
  return [
    { role: "user", content: "x" },
    { role: "assistant", content: "", tool_calls: [{ id: "probe0001", type: "function", function: call }] },
    { role: "tool", content: "x", tool_call_id: "probe0001", name: "probe" },
  ];
};

/** Makes prompts with the model's own Jinja template; `source` is null when it has none. */
export function createPromptMaker(model: string, source: string | null, vocabulary: Vocabulary): PromptMaker {
  const template = source === null ? null : compile(source);
  const guard = new MarkerGuard(vocabulary.markers);

  const render = (values: Readonly<Record<string, unknown>>): string => {
    if (template === null) throw noTemplate(model);
    if (template instanceof Error) throw template;
    return template.render({
      ...values,
      add_generation_prompt: true,
      bos_token: vocabulary.bosText,
      eos_token: vocabulary.eosText,
    });
  };

  const renderSafely = (values: Readonly<Record<string, unknown>>): string => {
    try {
      return render(values);
    } catch (cause) {
      if (cause instanceof RbeeError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RbeeError("invalid_request", `The chat template of ${model} refuses these messages: ${why}`, {
        param: "messages",
        cause,
      });
    }
  };

  let asObjects: boolean | undefined;
  const argumentsAsObjects = (): boolean => {
    asObjects ??= [true, false].find((asObject) => {
      try {
        return render({ messages: probe(asObject), tools: null }).includes('"probe": "value"');
      } catch {
        return false;
      }
    });
    return (asObjects ??= true);
  };

  const tokensOf = (parts: readonly PromptPart[]): number[] => {
    const tokens = parts.flatMap(({ text, literal }, index) =>
      vocabulary.tokenize(text, { markers: !literal, continued: index > 0 }),
    );
    const { bosToken } = vocabulary;
    return vocabulary.prependsBos && bosToken !== null && tokens[0] !== bosToken ? [bosToken, ...tokens] : tokens;
  };

  return {
    template: source,
    prompt({ messages, tools = [], variables = {} }) {
      const calls = messages.some((message) => message.role === "assistant" && (message.tool_calls ?? []).length > 0);
      const { values, reveal } = guardValues(guard, {
        variables: variables as Json,
        messages: templateMessages(messages, calls && argumentsAsObjects()),
        tools: tools as unknown as Json,
      });
      const rendered = renderSafely({
        ...(values.variables as Readonly<Record<string, unknown>>),
        messages: values.messages,
        // None, not undefined: templates are written for a library that always names it.
        tools: tools.length === 0 ? null : values.tools,
      });
      return { tokens: tokensOf(reveal(rendered)), end: rendered.slice(-endLength) };
    },
  };
}
