import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { pick } from "../pick.ts";

/** `rbee user remove`. */
export function userRemove(parent: Command): void {
  verb(parent, "remove <user>", {
    summary: "remove an account with its sessions and keys",
    examples: ["rbee user remove Bob"],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { client } = connect();
      const { data } = await client.listUsers({ signal });
      const user = pick(data, wanted, "user", { id: ({ id }) => id, name: ({ name }) => name });
      await client.removeUser({ params: { id: user.id }, signal });
      narrate("queen", `removed ${user.name}, with their sessions and keys`);
      answer({ removed: user }, () => "");
    }),
  );
}
