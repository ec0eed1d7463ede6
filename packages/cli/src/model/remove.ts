import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";
import { confirmed } from "../terminal/confirm.ts";

interface Options extends JobOptions {
  readonly hive?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** `rbee model rm`. */
export function modelRemove(parent: Command): void {
  jobVerb(parent, "rm <model>", {
    summary: "delete a model that was downloaded, from one machine or from all that have it",
    examples: ["rbee model rm mistral-7b --hive attic", "rbee model rm mistral-7b --yes"],
  })
    .option("--hive <name>", "from where; from every machine where rbee downloaded it when left out")
    .option("--force", "also when it is pinned or in use: what uses it is stopped")
    .option("--yes", "do not ask")
    .action((model: string, options: Options) =>
      perform(options, async (context) => {
        const { hive, force = false, yes } = options;
        const connection = context.connect();
        if (yes !== true) {
          const where = hive === undefined ? "every machine where rbee downloaded it" : hive;
          if (!(await confirmed(context, `Delete ${model} from ${where}?`, "This deletes a model's files."))) return;
        }
        await runJob(
          context,
          connection,
          { operation: "model_delete", model, force, ...(hive === undefined ? {} : { hive }) },
          options,
        );
      }),
    );
}
