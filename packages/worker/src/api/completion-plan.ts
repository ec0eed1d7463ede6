import { RbeeError, type CompletionRequest } from "@rbee/contract";
import type { Engine, Vocabulary } from "../engine/engine.ts";
import type { GenerationRequest } from "../scheduler/index.ts";
import { readGrammar } from "./grammars.ts";
import { limitOf, samplingOf, stopsOf } from "./sampling.ts";

/** What OpenAI gives to those who name no limit. */
const defaultMaxTokens = 16;

/** A completion request made ready to be computed. */
export interface CompletionPlan {
  /** All choices of the first prompt, then those of the next. */
  readonly requests: readonly GenerationRequest[];
  readonly prompts: number;
  /** What stands before each choice's text. */
  readonly echoes: readonly string[];
}

const isTokenList = (value: readonly unknown[]): value is readonly number[] => typeof value[0] === "number";

/** Prompts, or texts to embed, one by one: as they were given, and where. */
export function inputsOf(
  input: CompletionRequest["prompt"],
  param: string,
): { readonly value: string | readonly number[]; readonly param: string }[] {
  if (typeof input === "string" || isTokenList(input)) return [{ value: input, param }];
  return input.map((value, index) => ({ value, param: `${param}[${index}]` }));
}

/** @throws {RbeeError} `invalid_request` for a token that the model does not have. */
export function checkTokens(tokens: readonly number[], vocabulary: Vocabulary, param: string): readonly number[] {
  const unknown = tokens.find((token) => token >= vocabulary.size);
  if (unknown === undefined) return tokens;
  throw new RbeeError("invalid_request", `\`${param}\`: the model has no token ${unknown}.`, {
    param,
    details: { vocabulary_size: vocabulary.size },
  });
}

/** The text of tokens, control tokens included. */
export function textOfTokens(tokens: readonly number[], vocabulary: Vocabulary): string {
  return Buffer.concat(tokens.map((token) => vocabulary.shownPiece(token).bytes)).toString("utf8");
}

function infilled(prompt: readonly number[], suffix: string, engine: Engine, model: string): number[] {
  const { infill } = engine.vocabulary;
  if (infill === null) {
    throw new RbeeError("invalid_request", `\`suffix\`: ${model} was not trained to fill in the middle of a text.`, {
      param: "suffix",
      suggestion: "Leave it out, or choose a model for code that can.",
    });
  }
  const after = engine.vocabulary.tokenize(suffix, { markers: false, continued: true });
  return [infill.prefix, ...prompt, infill.suffix, ...after, infill.middle];
}

/**
 * What the scheduler needs to know of a completion request.
 * @throws {RbeeError} `invalid_request`, or `context_length_exceeded` when a prompt and its answer do not fit.
 */
export function completionPlan(request: CompletionRequest, engine: Engine): CompletionPlan {
  const { vocabulary, facts } = engine;
  const sampling = samplingOf(request, vocabulary.size, request.n ?? 1);
  const grammar = request.grammar === undefined ? null : readGrammar(engine, request.grammar, "grammar");
  const inputs = inputsOf(request.prompt, "prompt");
  const perPrompt = inputs.map(({ value, param }) => {
    const suffix = request.suffix ?? "";
    const given =
      typeof value === "string"
        ? vocabulary.tokenize(value, { markers: suffix === "", continued: false })
        : checkTokens(value, vocabulary, param);
    const body = suffix === "" ? given : infilled(given, suffix, engine, request.model);
    const { bosToken, prependsBos } = vocabulary;
    const begins = typeof value === "string" && prependsBos && bosToken !== null && body[0] !== bosToken;
    const prompt = begins ? [bosToken, ...body] : body;
    const maxTokens = limitOf({
      promptTokens: prompt.length,
      asked: request.max_tokens === undefined ? defaultMaxTokens : request.max_tokens,
      contextLength: facts.contextLength,
      param: "prompt",
    });
    return sampling.map((settings): GenerationRequest => ({
      prompt,
      maxTokens,
      sampling: settings,
      stop: stopsOf(request.stop),
      grammar,
      guide: null,
      shown: noTokens,
      logprobs: request.logprobs ?? null,
    }));
  });
  const echoes = inputs.flatMap(({ value }) => {
    const text = typeof value === "string" ? value : textOfTokens(value, vocabulary);
    return sampling.map(() => (request.echo === true ? text : ""));
  });
  return { requests: perPrompt.flat(), prompts: inputs.length, echoes };
}

const noTokens: ReadonlySet<number> = new Set();
