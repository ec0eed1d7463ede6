import { backendSchema, type Backend } from "@rbee/contract";
import { Option, type Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform } from "../command.ts";
import { UsageError } from "../failure.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";
import { pick } from "../pick.ts";

interface Options extends JobOptions {
  model?: string;
  hive?: string;
  backend?: Backend;
  device?: string;
  context?: number;
  slots?: number;
}

/** `rbee worker spawn`: loads a model now; the worker's id alone goes to stdout. */
export function workerSpawn(parent: Command): void {
  jobVerb(parent, "spawn [model]", {
    summary: "load a model now, instead of when somebody asks for it",
    examples: ["rbee worker spawn bee-tiny", "rbee worker spawn bee-tiny --hive gaming-pc --device cuda:0 --slots 2"],
  })
    .option("--model <id>", "which model, when it does not stand right after `spawn`")
    .option("--hive <name>", "where; the machine with the most room when left out")
    .addOption(new Option("--backend <name>", "on which kind of device").choices(backendSchema.options))
    .option("--device <id>", "on which device, such as cuda:0")
    .option("--context <tokens>", "tokens of context for each slot", wholeNumber(64, 1_048_576))
    .option("--slots <number>", "how many requests it answers at the same time", wholeNumber(1, 64))
    .action((named: string | undefined, options: Options) =>
      perform(options, async (context) => {
        const { hive, backend, device, context: length, slots } = options;
        const model = named ?? options.model;
        if (model === undefined) throw new UsageError("Which model?", "Name it: `rbee worker spawn bee-tiny`.");
        if (options.model !== undefined && options.model !== model)
          throw new UsageError(`Both ${model} and ${options.model} are named.`, "Name one model.");
        const connection = context.connect();
        const hives = hive === undefined ? [] : (await connection.client.fleet({ signal: context.signal })).hives;
        const found =
          hive === undefined
            ? undefined
            : pick(hives, hive, "hive", { id: ({ hive_id }) => hive_id, name: ({ name }) => name });
        const result = await runJob(
          context,
          connection,
          {
            operation: "worker_spawn",
            model,
            ...(found === undefined ? {} : { hive_id: found.hive_id }),
            ...(backend === undefined ? {} : { backend }),
            ...(device === undefined ? {} : { device }),
            ...(length === undefined ? {} : { context_length: length }),
            ...(slots === undefined ? {} : { slots }),
          },
          options,
        );
        const id = result?.data?.["worker_id"];
        if (!context.json && typeof id === "string") context.terminal.out(id);
      }),
    );
}
