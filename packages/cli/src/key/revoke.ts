import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { pick } from "../pick.ts";

/** `rbee key revoke`. */
export function keyRevoke(parent: Command): void {
  verb(parent, "revoke <key>", {
    summary: "revoke an API key, named by its name or id",
    examples: ["rbee key revoke laptop"],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { client } = connect();
      const { data } = await client.listKeys({ signal });
      const key = pick(data, wanted, "key", { id: ({ id }) => id, name: ({ name }) => name });
      await client.revokeKey({ params: { id: key.id }, signal });
      narrate("queen", `revoked the key ${key.name} of ${key.owner}`);
      answer({ revoked: key }, () => "");
    }),
  );
}
