import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";

/** `rbee hive discover`. */
export function hiveDiscover(parent: Command): void {
  jobVerb(parent, "discover", {
    summary: "ask every enrolled machine again what it can do; fails when one does not answer",
    examples: ["rbee hive discover"],
  }).action((options: JobOptions) =>
    perform(options, async (context) => {
      await runJob(context, context.connect(), { operation: "hive_discover" }, options);
    }),
  );
}
