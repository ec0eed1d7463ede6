import { backendSchema, type Backend } from "@rbee/contract";
import { Option, type Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";
import { pick } from "../pick.ts";

interface Options extends JobOptions {
  model: string;
  hive?: string;
  backend?: Backend;
  device?: string;
}

/** `rbee worker spawn`: loads a model now; the worker's id alone goes to stdout. */
export function workerSpawn(parent: Command): void {
  jobVerb(parent, "spawn", {
    summary: "load a model now, instead of when somebody asks for it",
    examples: ["rbee worker spawn --model bee-tiny", "rbee worker spawn --model bee-tiny --hive gaming-pc"],
  })
    .requiredOption("--model <id>", "which model")
    .option("--hive <name>", "where; the machine with the most room when left out")
    .addOption(new Option("--backend <name>", "on which kind of device").choices(backendSchema.options))
    .option("--device <id>", "on which device, such as cuda:0")
    .action((options: Options) =>
      perform(options, async (context) => {
        const connection = context.connect();
        const { model, hive, backend, device } = options;
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
          },
          options,
        );
        const id = result?.data?.["worker_id"];
        if (!context.json && typeof id === "string") context.terminal.out(id);
      }),
    );
}
