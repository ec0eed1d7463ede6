import { RbeeError, type ChatMessage } from "@rbee/contract";
import { Template } from "@huggingface/jinja";
import type { Vocabulary } from "../engine/engine.ts";
import { MarkerGuard } from "./literal-markers.ts";

/** Turns a conversation into the tokens of a prompt, the way the model was trained on it. */
export interface PromptMaker {
  /**
   * The prompt up to where the assistant's answer begins.
   * @throws {RbeeError} `invalid_request` when the model has no template or the template refuses the conversation.
   */
  tokens(messages: readonly ChatMessage[]): number[];
}

function textOf(content: ChatMessage["content"]): string {
  if (content === null || content === undefined) return "";
  return typeof content === "string" ? content : content.map((part) => part.text).join("\n");
}

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

/** Makes prompts with the model's own Jinja template; `source` is null when it has none. */
export function createPromptMaker(model: string, source: string | null, vocabulary: Vocabulary): PromptMaker {
  const template = source === null ? null : compile(source);
  const guard = new MarkerGuard(vocabulary.markers);

  const render = (messages: readonly { role: string; content: string; name?: string }[]): string => {
    if (template === null) throw noTemplate(model);
    try {
      if (template instanceof Error) throw template;
      return template.render({
        messages,
        add_generation_prompt: true,
        bos_token: vocabulary.bosText,
        eos_token: vocabulary.eosText,
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RbeeError("invalid_request", `The chat template of ${model} refuses these messages: ${why}`, {
        param: "messages",
        cause,
      });
    }
  };

  return {
    tokens(messages) {
      const names = messages.map((message) => message.name ?? "");
      const guarded = guard.hide([...messages.map((message) => textOf(message.content)), ...names]);
      const rendered = render(
        messages.map((message, index) => ({
          // OpenAI's newer name for the same thing, which no template knows.
          role: message.role === "developer" ? "system" : message.role,
          content: guarded.contents[index] ?? "",
          ...(message.name === undefined ? {} : { name: guarded.contents[messages.length + index] ?? "" }),
        })),
      );
      const tokens = guarded
        .reveal(rendered)
        .flatMap(({ text, literal }, index) => vocabulary.tokenize(text, { markers: !literal, continued: index > 0 }));
      const { bosToken } = vocabulary;
      return vocabulary.prependsBos && bosToken !== null && tokens[0] !== bosToken ? [bosToken, ...tokens] : tokens;
    },
  };
}
