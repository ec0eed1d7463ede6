import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";

/** `rbee job cancel`. */
export function jobCancel(parent: Command): void {
  verb(parent, "cancel <job>", {
    summary: "tell a job to stop; one that is over stays as it is",
    examples: ["rbee job cancel job:1f0c…"],
  }).action((id: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      await connect().client.cancelJob({ params: { id }, signal });
      narrate("queen", "told the job to stop; `rbee job show` says how it ended");
      answer({ cancelled: id }, () => "");
    }),
  );
}
