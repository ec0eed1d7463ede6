import { RbeeError, type ChatRequest } from "@rbee/contract";
import { AnswerReader, type Reader, type ReadingOptions } from "../answer/answer-reader.ts";
import { ChannelReader, channelMarkers, finalChannel } from "../answer/channel-reader.ts";
import { AfterThoughtsGuide, CallGuide } from "../answer/call-guide.ts";
import type { Engine, Vocabulary } from "../engine/engine.ts";
import { isSchema } from "../grammar/schema-merge.ts";
import type { GenerationRequest, Guide } from "../scheduler/index.ts";
import type { Prompt, PromptMaker } from "../templates/chat-template.ts";
import { opensReasoning, reasoningOf, type ReasoningMarkers } from "../templates/reasoning.ts";
import { toolFormatOf, usesChannels, type ToolFormat } from "../tools/tool-format.ts";
import { answerGrammar, type AnswerGrammar, type ToolUse } from "./grammars.ts";
import { limitOf, samplingOf, stopsOf } from "./sampling.ts";

/** What a model can do in a chat, as its template shows. */
export interface ChatAbilities {
  readonly template: string | null;
  readonly toolFormat: ToolFormat | null;
  readonly reasoning: ReasoningMarkers | null;
  /** Whether its answers are several messages on channels. */
  readonly channels: boolean;
  /** Control tokens whose texts mark thoughts and calls. */
  readonly shown: ReadonlySet<number>;
}

export function chatAbilities(template: string | null, vocabulary: Vocabulary): ChatAbilities {
  const toolFormat = toolFormatOf(template);
  const channels = usesChannels(template);
  const reasoning = channels ? null : reasoningOf(template);
  const texts = [
    ...(channels ? channelMarkers : []),
    ...(toolFormat === null
      ? []
      : [...toolFormat.triggers, toolFormat.open, toolFormat.close, ...toolFormat.call, toolFormat.separator]),
    ...(reasoning === null ? [] : [reasoning.open, reasoning.close]),
  ];
  const shown = new Set<number>();
  for (const marker of vocabulary.markers) {
    if (!texts.some((text) => text.includes(marker))) continue;
    const [token, ...others] = vocabulary.tokenize(marker, { markers: true, continued: true });
    if (token !== undefined && others.length === 0 && vocabulary.isMarker(token)) shown.add(token);
  }
  return { template, toolFormat, reasoning, channels, shown };
}

/** A chat request made ready to be computed. */
export interface ChatPlan {
  /** One for each choice. */
  readonly requests: readonly GenerationRequest[];
  /** Tells a choice's text apart; null when all of it is content. */
  reader(): Reader | null;
  readonly shortIds: boolean;
  readonly thinks: boolean;
}

function toolUseOf(request: ChatRequest, { template, toolFormat }: ChatAbilities): ToolUse | null {
  const tools = request.tools ?? [];
  const choice = request.tool_choice ?? "auto";
  if (tools.length === 0 || choice === "none") return null;
  if (toolFormat === null) {
    const why =
      template !== null && /\btools\b/u.test(template)
        ? "writes tool calls in a way that rbee does not know"
        : "has no place for tools";
    throw new RbeeError("invalid_request", `\`tools\`: the chat template of ${request.model} ${why}.`, {
      param: "tools",
      suggestion: "Choose a model that was trained to call tools.",
    });
  }
  const named = typeof choice === "object" ? choice.function.name : null;
  return {
    format: toolFormat,
    tools: named === null ? tools : tools.filter((tool) => tool.function.name === named),
    forced: choice !== "auto",
    parallel: named === null && (request.parallel_tool_calls ?? true),
  };
}

const reserved = new Set(["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"]);
/** Names under which templates know whether the model shall think. */
const thinkingSwitches = ["enable_thinking", "thinking"];

/** The values that a request sets in the template. */
function variablesOf(request: ChatRequest, { template, reasoning, channels }: ChatAbilities): Record<string, unknown> {
  const variables: Record<string, unknown> = {};
  const mentions = (name: string) => template !== null && new RegExp(`\\b${name}\\b`, "u").test(template);
  const refuse = (param: string, why: string) =>
    new RbeeError("invalid_request", `\`${param}\`: the chat template of ${request.model} ${why}.`, { param });
  const effort = request.reasoning_effort ?? null;
  if (effort !== null) {
    const switches = thinkingSwitches.filter(mentions);
    for (const name of switches) variables[name] = effort !== "none";
    if (mentions("reasoning_effort") && effort !== "none") variables["reasoning_effort"] = effort;
    // A model that does not think is not thinking already.
    const done = Object.keys(variables).length > 0 || (effort === "none" && reasoning === null && !channels);
    if (!done) throw refuse("reasoning_effort", "has no such setting");
  }
  for (const [name, value] of Object.entries(request.chat_template_kwargs ?? {})) {
    const param = `chat_template_kwargs.${name}`;
    if (reserved.has(name)) throw refuse(param, "gets this from the conversation itself");
    if (!/^\w+$/u.test(name) || !mentions(name)) throw refuse(param, "does not use it");
    variables[name] = value;
  }
  return variables;
}

/**
 * A chat request's prompt, tools included as the model will see them.
 * @throws {RbeeError} `invalid_request`.
 */
export function chatPrompt(request: ChatRequest, prompts: PromptMaker, abilities: ChatAbilities): Prompt {
  const use = toolUseOf(request, abilities);
  return prompts.prompt({
    messages: request.messages,
    tools: use === null ? [] : (request.tools ?? []),
    variables: variablesOf(request, abilities),
  });
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return isSchema(schema) && isSchema(schema["properties"]) ? schema["properties"] : {};
}

function guideOf(grammar: AnswerGrammar, reading: ReadingOptions): Guide | null {
  const { whole, calls } = grammar;
  if (whole !== null && reading.opened && reading.reasoning !== null)
    return new AfterThoughtsGuide(reading.reasoning.close, whole);
  return calls === null || reading.tools === null ? null : new CallGuide(reading.tools, calls, reading);
}

/**
 * What the scheduler and the answer need to know of a chat request.
 * @throws {RbeeError} `invalid_request`, or `context_length_exceeded` when prompt and answer do not fit into a slot.
 */
export function chatPlan(
  request: ChatRequest,
  engine: Engine,
  prompts: PromptMaker,
  abilities: ChatAbilities,
): ChatPlan {
  const sampling = samplingOf(request, engine.vocabulary.size, request.n ?? 1);
  const use = toolUseOf(request, abilities);
  const prompt = chatPrompt(request, prompts, abilities);
  if (prompt.tokens.length === 0) {
    throw new RbeeError("invalid_request", "`messages`: the prompt is empty.", { param: "messages" });
  }
  const maxTokens = limitOf({
    promptTokens: prompt.tokens.length,
    asked: request.max_completion_tokens ?? request.max_tokens ?? null,
    contextLength: engine.facts.contextLength,
    param: "messages",
  });
  const { reasoning, channels } = abilities;
  const grammar = answerGrammar(engine, request, use, channels ? finalChannel : "");

  const reading: ReadingOptions = {
    reasoning,
    opened: reasoning !== null && opensReasoning(prompt.end, reasoning),
    tools: use?.format ?? null,
    schemas: new Map(use?.tools.map(({ function: { name, parameters } }) => [name, propertiesOf(parameters)])),
  };
  const stop = stopsOf(request.stop);
  const logprobs = request.logprobs === true ? (request.top_logprobs ?? 0) : null;
  const plain = reading.reasoning === null && reading.tools === null;
  return {
    requests: sampling.map((settings) => ({
      prompt: prompt.tokens,
      maxTokens,
      sampling: settings,
      stop,
      grammar: reading.opened ? null : grammar.whole,
      guide: guideOf(grammar, reading),
      shown: abilities.shown,
      logprobs,
    })),
    reader: () => (channels ? new ChannelReader() : plain ? null : new AnswerReader(reading)),
    shortIds: use?.format.shortIds ?? false,
    thinks: reasoning !== null || channels,
  };
}
