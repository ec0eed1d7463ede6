import type { Command } from "commander";
import { seconds, wholeNumber } from "../../arguments.ts";
import { perform, verb, type CommonOptions } from "../../command.ts";
import { formatMoment } from "../../terminal/format.ts";

interface Options extends CommonOptions {
  uses?: number;
  expires?: number;
}

/** `rbee hive token create`: the command for the machine that joins goes to stdout. */
export function tokenCreate(parent: Command): void {
  verb(parent, "create", {
    summary: "make a token with which a machine can join",
    examples: ["rbee hive token create", "rbee hive token create --uses 3 --expires 1h"],
  })
    .option("--uses <number>", "how many machines may join with it; 1 when left out", wholeNumber(1, 100))
    .option("--expires <time>", "how long it is good for; 24 hours when left out", seconds)
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const created = await connect().client.createJoinToken({
          body: {
            ...(options.uses === undefined ? {} : { uses: options.uses }),
            ...(options.expires === undefined ? {} : { expires_in_s: options.expires }),
          },
          signal,
        });
        const uses = created.uses_left === 1 ? "one machine" : `${created.uses_left} machines`;
        narrate("queen", `lets ${uses} join; the token expires ${formatMoment(created.expires_at, Date.now())}`);
        narrate("keeper", "run this on the machine that joins:");
        answer(created, () => created.command);
      }),
    );
}
