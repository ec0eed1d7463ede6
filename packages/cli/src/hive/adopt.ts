import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform } from "../command.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";

interface Options extends JobOptions, SshOptions {
  readonly name?: string;
  readonly port: number;
}

/** `rbee hive adopt`: the hive's id alone goes to stdout. */
export function hiveAdopt(parent: Command): void {
  const command = jobVerb(parent, "adopt <target>", {
    summary: "take over a hive that runs already on a machine which can be reached over SSH",
    examples: ["rbee hive adopt vince@192.168.1.20", "rbee hive adopt attic --name attic"],
  })
    .option("--name <name>", "what the hive is called; its own name when left out")
    .option("--port <number>", "the hive's port", wholeNumber(1, 65_535), 7835);
  sshOptions(command).action((target: string, options: Options) =>
    perform(options, async (context) => {
      const { name, port } = options;
      const result = await runSshJob(context, context.connect(), options, (access) => ({
        operation: "hive_adopt",
        target,
        hive_port: port,
        ...(name === undefined ? {} : { name }),
        ...access,
      }));
      const id = result?.data?.["hive_id"];
      if (!context.json && typeof id === "string") context.terminal.out(id);
    }),
  );
}
