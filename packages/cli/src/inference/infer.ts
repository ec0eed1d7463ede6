import type { Command } from "commander";
import { perform, verb, type Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { UsageError } from "../failure.ts";
import { readAll } from "../terminal/prompt.ts";
import { ask, speedOf } from "./ask.ts";
import { obviousModel, reportedModels, whichModel } from "./choose-model.ts";
import { answerOptions, taskOptions, type AnswerOptions } from "./options.ts";
import { withQueen } from "./with-queen.ts";

interface Options extends AnswerOptions {
  readonly model?: string;
  readonly prompt?: string;
}

async function promptOf(options: Options, { terminal, signal }: Context): Promise<string> {
  if (options.prompt !== undefined) return options.prompt;
  if (terminal.interactive) throw new UsageError("There is no prompt.", "Give one with --prompt, or on stdin.");
  const text = (await readAll(process.stdin, signal)).trim();
  if (text === "") throw new UsageError("The prompt on stdin is empty.");
  return text;
}

async function modelOf({ client }: Connection, wanted: string | undefined, signal: AbortSignal): Promise<string> {
  // The queen knows best what to say about a model that she lacks.
  if (wanted !== undefined) return wanted;
  const models = await reportedModels(client, signal);
  const model = obviousModel(models);
  if (model === undefined) throw whichModel(models, " with --model");
  return model;
}

async function answer(context: Context, connection: Connection, prompt: string, options: Options): Promise<void> {
  const { terminal, signal, json } = context;
  const model = await modelOf(connection, options.model, signal);
  const { system } = options;
  let last = "\n";
  const given = await ask(
    context,
    connection,
    {
      ...taskOptions(options),
      model,
      messages: [
        ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
        { role: "user" as const, content: prompt },
      ],
    },
    {
      signal,
      text(piece) {
        if (json) return;
        terminal.write(piece);
        last = piece.at(-1) ?? last;
      },
    },
  ).finally(() => {
    if (last !== "\n") terminal.write("\n");
  });
  if (terminal.lively && !json) terminal.error(terminal.errorColours.dim(speedOf(given)));
  context.answer(given, () => "");
}

/** `rbee infer`: one question, one answer; it starts a queen for its own length when none runs. */
export function infer(parent: Command): void {
  const command = verb(parent, "infer", {
    summary: "ask a model one question; tokens go to stdout as they come",
    examples: [
      'rbee infer --model bee-tiny --prompt "hello"',
      "cat notes.txt | rbee infer --model bee-tiny --system 'Summarise in one line.' --max-tokens 60",
      'rbee infer --model bee-tiny --node gaming-pc --backend cuda --prompt "hello"',
    ],
  })
    .option("--model <name>", "which model; the only one, or the only loaded one, when left out")
    .option("--prompt <text>", "the question; read from stdin when left out");
  answerOptions(command).action((options: Options) =>
    perform(options, async (context) => {
      const prompt = await promptOf(options, context);
      await withQueen(context, (connection) => answer(context, connection, prompt, options));
    }),
  );
}
