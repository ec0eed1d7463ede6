import { laneSchema, type Lane } from "@rbee/contract";
import { Option, type Command } from "commander";
import { seconds } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";

interface Options extends CommonOptions {
  name: string;
  expires?: number;
  lane?: Lane;
}

/** `rbee key create`: makes an API key of yours; the key alone goes to stdout. */
export function keyCreate(parent: Command): void {
  verb(parent, "create", {
    summary: "make an API key; it is shown once",
    examples: ["rbee key create --name laptop", "rbee key create --name ci --expires 30d --lane batch"],
  })
    .requiredOption("--name <name>", "what to call it")
    .option("--expires <time>", "how long it is good for, such as 30d; for ever when left out", seconds)
    .addOption(
      new Option("--lane <lane>", "where its requests wait: before or after what people wait for").choices(
        laneSchema.options,
      ),
    )
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const { name, expires, lane } = options;
        const created = await connect().client.createKey({
          body: {
            name,
            ...(expires === undefined ? {} : { expires_in_s: expires }),
            ...(lane === undefined ? {} : { lane }),
          },
          signal,
        });
        narrate("queen", `made the key ${created.name} of ${created.owner}; it is shown this once`);
        answer(created, () => created.key);
      }),
    );
}
