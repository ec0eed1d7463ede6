import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";

interface Options extends JobOptions {
  readonly hive?: string;
  readonly as?: string;
}

/** `rbee model pull`: brings a model to a machine; its id alone goes to stdout. */
export function modelPull(parent: Command): void {
  jobVerb(parent, "pull <reference>", {
    summary: "bring a model to a machine, from the hub or from another machine that has it",
    examples: [
      "rbee model pull hf:org/repo:Q4_K_M",
      "rbee model pull hf:org/repo/file.gguf --hive gaming-pc --as helper",
      "rbee model pull bee-tiny --hive attic",
    ],
  })
    .option("--hive <name>", "where to; the machine with the most room when left out")
    .option("--as <id>", "what to call it; made from the file's name when left out")
    .action((model: string, options: Options) =>
      perform(options, async (context) => {
        const { hive, as: id } = options;
        const result = await runJob(
          context,
          context.connect(),
          {
            operation: "model_download",
            model,
            ...(hive === undefined ? {} : { hive }),
            ...(id === undefined ? {} : { id }),
          },
          options,
        );
        const pulled = result?.data?.["model"];
        if (!context.json && typeof pulled === "string") context.terminal.out(pulled);
      }),
    );
}
