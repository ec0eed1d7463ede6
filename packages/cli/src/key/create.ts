import type { Command } from "commander";
import { seconds } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";

interface Options extends CommonOptions {
  name: string;
  expires?: number;
}

/** `rbee key create`: makes an API key of yours; the key alone goes to stdout. */
export function keyCreate(parent: Command): void {
  verb(parent, "create", {
    summary: "make an API key; it is shown once",
    examples: ["rbee key create --name laptop", "rbee key create --name ci --expires 30d --json"],
  })
    .requiredOption("--name <name>", "what to call it")
    .option("--expires <time>", "how long it is good for, such as 30d; for ever when left out", seconds)
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const created = await connect().client.createKey({
          body: { name: options.name, ...(options.expires === undefined ? {} : { expires_in_s: options.expires }) },
          signal,
        });
        narrate("queen", `made the key ${created.name} of ${created.owner}; it is shown this once`);
        answer(created, () => created.key);
      }),
    );
}
