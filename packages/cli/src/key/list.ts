import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

/** `rbee key list`. */
export function keyList(parent: Command): void {
  verb(parent, "list", {
    summary: "list your API keys; an administrator sees everybody's",
    examples: ["rbee key list"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { data } = await connect().client.listKeys({ signal });
      if (data.length === 0) narrate("queen", "has no API keys; `rbee key create` makes one");
      const now = Date.now();
      answer(data, () =>
        data.length === 0
          ? ""
          : table(data, [
              { title: "NAME", cell: (key) => key.name },
              { title: "KEY", cell: (key) => `${key.prefix}…` },
              { title: "OWNER", cell: (key) => key.owner },
              { title: "LANE", cell: (key) => key.lane ?? "interactive" },
              { title: "LAST USED", cell: (key) => formatMoment(key.last_used_at, now) },
              { title: "EXPIRES", cell: (key) => formatMoment(key.expires_at, now) },
              { title: "ID", cell: (key) => key.id },
            ]),
      );
    }),
  );
}
