import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { table } from "../terminal/table.ts";

/** `rbee hive discover`. */
export function hiveDiscover(parent: Command): void {
  verb(parent, "discover", {
    summary: "ask every enrolled machine again whether it is there",
    examples: ["rbee hive discover"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer }) => {
      const { data } = await connect().client.discoverHives({ signal, timeoutMs: 30_000 });
      answer(data, () =>
        data.length === 0
          ? ""
          : table(data, [
              { title: "HIVE", cell: ({ name }) => name },
              { title: "ANSWERS", cell: ({ reachable }) => (reachable ? "yes" : "no") },
              { title: "WHY NOT", cell: ({ error }) => error ?? "" },
            ]),
      );
    }),
  );
}
