import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";
import { methodFrom, methodOptions, type MethodOptions } from "./method.ts";

/** `rbee hive upgrade`. */
export function hiveUpgrade(parent: Command): void {
  const command = jobVerb(parent, "upgrade <hive>", {
    summary: "bring the queen's own version to a hive; the former one is kept for a rollback",
    examples: ["rbee hive upgrade gaming-pc"],
  });
  sshOptions(methodOptions(command)).action((hive: string, options: JobOptions & SshOptions & MethodOptions) =>
    perform(options, async (context) => {
      const connection = context.connect();
      const method = methodFrom(options, connection.local);
      await runSshJob(context, connection, options, (access) => ({
        operation: "hive_upgrade",
        hive,
        ...(method === undefined ? {} : { method }),
        ...access,
      }));
    }),
  );
}
