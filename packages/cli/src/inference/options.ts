import { backendSchema } from "@rbee/contract";
import { Option, type Command } from "commander";
import { number, wholeNumber } from "../arguments.ts";
import type { CommonOptions } from "../command.ts";
import type { TaskInput } from "./ask.ts";

/** What can be said about how a question is to be answered. */
export interface AnswerOptions extends CommonOptions {
  readonly node?: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly backend?: TaskInput["backend"];
  readonly device?: string;
}

/** Adds the options of everything that asks a model something. */
export function answerOptions(command: Command): Command {
  return command
    .option("--node <name>", "the machine that answers; it is started when it must")
    .option("--system <text>", "the system message before it")
    .option("--max-tokens <number>", "at most this many tokens", wholeNumber(1))
    .option("--temperature <number>", "0 always takes the likeliest token", number(0, 2))
    .option("--seed <number>", "the same seed gives the same answer", wholeNumber(0))
    .addOption(
      new Option("--backend <name>", "what computes; nothing else is taken instead").choices(backendSchema.options),
    )
    .option("--device <id>", "the device that computes, for example cuda:0; nothing else is taken instead");
}

/** The part of a task that these options say; the system message is not part of it. */
export function taskOptions(options: AnswerOptions): Omit<TaskInput, "model" | "messages" | "prompt"> {
  const { node, maxTokens: max_tokens, temperature, seed, backend, device } = options;
  const given = { node, max_tokens, temperature, seed, backend, device };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
