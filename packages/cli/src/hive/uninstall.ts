import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";
import { confirmed } from "../terminal/confirm.ts";

interface Options extends JobOptions, SshOptions {
  readonly removeModels?: boolean;
  readonly yes?: boolean;
}

/** `rbee hive uninstall`. */
export function hiveUninstall(parent: Command): void {
  const command = jobVerb(parent, "uninstall <hive>", {
    summary: "remove from a machine what the installation put there; its models stay",
    examples: ["rbee hive uninstall gaming-pc", "rbee hive uninstall gaming-pc --remove-models --yes"],
  })
    .option("--remove-models", "delete the models on that machine too")
    .option("--yes", "do not ask whether the models may go");
  sshOptions(command).action((hive: string, options: Options) =>
    perform(options, async (context) => {
      const removeModels = options.removeModels === true;
      const connection = context.connect();
      if (removeModels && options.yes !== true) {
        const why = "--remove-models deletes models for good.";
        if (!(await confirmed(context, `Delete the models on ${hive} too, for good?`, why))) return;
      }
      await runSshJob(context, connection, options, (access) => ({
        operation: "hive_uninstall",
        hive,
        remove_models: removeModels,
        ...access,
      }));
    }),
  );
}
