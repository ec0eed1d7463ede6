import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";

/** A verb that does one thing to a hive on its machine, with nothing more to say. */
function onHive(
  parent: Command,
  name: string,
  operation: "hive_start" | "hive_stop" | "hive_rollback",
  summary: string,
): void {
  const command = jobVerb(parent, `${name} <hive>`, { summary, examples: [`rbee hive ${name} gaming-pc`] });
  sshOptions(command).action((hive: string, options: JobOptions & SshOptions) =>
    perform(options, async (context) => {
      await runSshJob(context, context.connect(), options, (access) => ({ operation, hive, ...access }));
    }),
  );
}

/** `rbee hive start`. */
export function hiveStart(parent: Command): void {
  onHive(parent, "start", "hive_start", "start the hive of a machine");
}

/** `rbee hive stop`. */
export function hiveStop(parent: Command): void {
  onHive(parent, "stop", "hive_stop", "stop the hive of a machine, and its workers with it");
}

/** `rbee hive rollback`. */
export function hiveRollback(parent: Command): void {
  onHive(parent, "rollback", "hive_rollback", "go back to the version before the last upgrade");
}
