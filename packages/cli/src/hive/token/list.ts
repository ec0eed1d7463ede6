import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../../command.ts";
import { formatMoment } from "../../terminal/format.ts";
import { table } from "../../terminal/table.ts";

/** `rbee hive token list`. */
export function tokenList(parent: Command): void {
  verb(parent, "list", {
    summary: "list the join tokens that can still be used",
    examples: ["rbee hive token list"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer }) => {
      const { data } = await connect().client.listJoinTokens({ signal });
      const now = Date.now();
      answer(data, () =>
        data.length === 0
          ? ""
          : table(data, [
              { title: "ID", cell: ({ id }) => id },
              { title: "USES LEFT", cell: ({ uses_left }) => String(uses_left), align: "right" },
              { title: "MADE", cell: ({ created_at }) => formatMoment(created_at, now) },
              { title: "EXPIRES", cell: ({ expires_at }) => formatMoment(expires_at, now) },
            ]),
      );
    }),
  );
}
