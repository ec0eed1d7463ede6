import type { Command } from "commander";
import { perform, type Context } from "../command.ts";
import { UsageError } from "../failure.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";
import { ask } from "../terminal/prompt.ts";

interface Options extends JobOptions, SshOptions {
  readonly removeModels?: boolean;
  readonly yes?: boolean;
}

/** Downloaded models are gone for good: a person says so twice. @throws {UsageError} when nobody can be asked. */
async function confirmRemoval(hive: string, { terminal, signal }: Context): Promise<boolean> {
  if (!terminal.interactive || !terminal.lively)
    throw new UsageError("--remove-models deletes models for good.", "Say so with --yes.");
  return /^y(?:es)?$/iu.test(await ask(`Delete the models on ${hive} too, for good? yes or no: `, signal));
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
      if (removeModels && options.yes !== true && !(await confirmRemoval(hive, context))) {
        context.narrate("keeper", "nothing was done");
        return;
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
