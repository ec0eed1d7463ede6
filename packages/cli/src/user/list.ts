import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

/** `rbee user list`. */
export function userList(parent: Command): void {
  verb(parent, "list", { summary: "list everybody with an account", examples: ["rbee user list"] }).action(
    (options: CommonOptions) =>
      perform(options, async ({ connect, signal, answer }) => {
        const { data } = await connect().client.listUsers({ signal });
        const now = Date.now();
        answer(data, () =>
          table(data, [
            { title: "NAME", cell: (user) => user.name },
            { title: "ROLE", cell: (user) => user.role },
            { title: "LAST SEEN", cell: (user) => formatMoment(user.last_seen_at, now) },
            { title: "ID", cell: (user) => user.id },
          ]),
        );
      }),
  );
}
