import { setTimeout as wait } from "node:timers/promises";
import { RbeeError, type ChatRequest, type FleetModel, type QueenClient } from "@rbee/contract";
import type { Command } from "commander";
import { number, wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { startTemporaryQueen } from "../connection/temporary-queen.ts";
import { UsageError } from "../failure.ts";
import { readAll } from "../terminal/prompt.ts";
import { readAnswer } from "./answer-stream.ts";

interface Options extends CommonOptions {
  model?: string;
  prompt?: string;
  system?: string;
  maxTokens?: number;
  temperature?: number;
  seed?: number;
}

/** A hive that has just been started reports its models within this time. */
const hiveStartLimitMs = 20_000;
/** Until the first byte of an answer: loading a large model takes minutes. */
const firstByteLimitMs = 600_000;

async function promptOf(options: Options, { terminal }: Context): Promise<string> {
  if (options.prompt !== undefined) return options.prompt;
  if (terminal.interactive) throw new UsageError("There is no prompt.", "Give one with --prompt, or on stdin.");
  const text = (await readAll(process.stdin)).trim();
  if (text === "") throw new UsageError("The prompt on stdin is empty.");
  return text;
}

/** The household's models; while a hive is still starting it waits for what that hive has, or for the one wanted. */
async function reportedModels(
  client: QueenClient,
  wanted: string | undefined,
  justStarted: boolean,
  signal: AbortSignal,
): Promise<readonly FleetModel[]> {
  const deadline = performance.now() + hiveStartLimitMs;
  for (;;) {
    const { hives, models } = await client.fleet({ signal });
    const isThere = wanted === undefined ? models.length > 0 : models.some(({ id }) => id === wanted);
    const mayStillCome =
      hives.some(
        ({ health, capabilities }) => health === "starting" || (health === "healthy" && capabilities === null),
      ) ||
      (justStarted && hives.length === 0);
    if (isThere || !mayStillCome || performance.now() > deadline) return models;
    await wait(100, undefined, { signal });
  }
}

function chooseModel(models: readonly FleetModel[], wanted: string | undefined): string {
  const ids = models.map(({ id }) => id);
  // The queen knows best what to say about a model that she lacks.
  if (wanted !== undefined) return wanted;
  const loaded = models.filter(({ state }) => state === "loaded");
  const only = models.length === 1 ? models[0] : loaded.length === 1 ? loaded[0] : undefined;
  if (only !== undefined) return only.id;
  if (ids.length === 0)
    throw new RbeeError("model_not_found", "No hive of the household has a model, or none has reported yet.", {
      suggestion: "`rbee model list` shows what there is.",
    });
  throw new UsageError("Which model?", `Name one with --model: ${ids.join(", ")}.`);
}

function requestOf(model: string, prompt: string, options: Options): Omit<ChatRequest, "stream"> {
  return {
    model,
    messages: [
      ...(options.system === undefined ? [] : [{ role: "system" as const, content: options.system }]),
      { role: "user" as const, content: prompt },
    ],
    ...(options.maxTokens === undefined ? {} : { max_tokens: options.maxTokens }),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  };
}

async function ask(
  context: Context,
  client: QueenClient,
  prompt: string,
  options: Options,
  justStarted: boolean,
): Promise<void> {
  const { terminal, narrate, signal, json, answer } = context;
  const models = await reportedModels(client, options.model, justStarted, signal);
  const model = chooseModel(models, options.model);
  if (models.find(({ id }) => id === model)?.state === "unloaded") narrate("queen", `loads ${model}`);
  const request = requestOf(model, prompt, options);
  if (json) {
    answer(await client.chat({ body: request, signal, timeoutMs: firstByteLimitMs }), () => "");
    return;
  }

  const response = await client.raw.chat({ body: { ...request, stream: true }, signal, timeoutMs: firstByteLimitMs });
  if (response.body === null) throw new RbeeError("hive_invalid_response", "The queen answered without a stream.");
  let last = "\n";
  let said: string | undefined;
  for await (const event of readAnswer(response.body)) {
    if (event.type === "text") {
      terminal.write(event.text);
      last = event.text.at(-1) ?? last;
    } else if (event.type === "waiting") {
      if (event.what !== said) narrate("worker", event.what);
      said = event.what;
    } else {
      if (last !== "\n") terminal.write("\n");
      const { timings } = event;
      if (timings !== undefined)
        narrate(
          "worker",
          `${timings.predicted_n} tokens at ${timings.predicted_per_second.toFixed(1)} tokens/s, after a prompt of ${timings.cache_n + timings.prompt_n}`,
        );
    }
  }
}

/** `rbee infer`: one question, one answer; it starts a queen for its own length when none runs. */
export function infer(parent: Command): void {
  verb(parent, "infer", {
    summary: "ask a model one question; tokens go to stdout as they come",
    examples: [
      'rbee infer --model bee-tiny --prompt "hello"',
      "cat notes.txt | rbee infer --model bee-tiny --system 'Summarise in one line.' --max-tokens 60",
    ],
  })
    .option("--model <id>", "which model; the only one, or the only loaded one, when left out")
    .option("--prompt <text>", "the question; read from stdin when left out")
    .option("--system <text>", "the system message before it")
    .option("--max-tokens <number>", "at most this many tokens", wholeNumber(1))
    .option("--temperature <number>", "0 always takes the likeliest token", number(0, 2))
    .option("--seed <number>", "the same seed gives the same answer", wholeNumber(0))
    .action((options: Options) =>
      perform(options, async (context) => {
        const prompt = await promptOf(options, context);
        const running = context.find();
        if (running !== undefined) {
          await ask(context, running.client, prompt, options, false);
          return;
        }
        context.narrate("keeper", "no queen runs, so one is started for this question");
        const temporary = await startTemporaryQueen(context.env, context.signal);
        try {
          const { ready } = await temporary.connection.client.health({ signal: context.signal });
          if (!ready)
            throw new RbeeError("forbidden", "This household has no administrator yet.", {
              suggestion: "Run `npm start` and open its address once, or set RBEE_ADMIN_NAME and RBEE_ADMIN_PASSWORD.",
            });
          await ask(context, temporary.connection.client, prompt, options, true);
        } finally {
          await temporary.stop();
          context.narrate("keeper", "stopped that queen again");
        }
      }),
    );
}
