import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { runJob } from "../job/follow.ts";

/** `rbee hive discover`. */
export function hiveDiscover(parent: Command): void {
  verb(parent, "discover", {
    summary: "ask every enrolled machine again what it can do; fails when one does not answer",
    examples: ["rbee hive discover"],
  }).action((options: CommonOptions) =>
    perform(options, async (context) => {
      await runJob(context, context.connect(), { operation: "hive_discover" });
    }),
  );
}
