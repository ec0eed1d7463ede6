import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { pick } from "../pick.ts";

/** `rbee hive remove`. */
export function hiveRemove(parent: Command): void {
  verb(parent, "remove <hive>", {
    summary: "forget a machine; its agent keeps running until it is stopped there",
    examples: ["rbee hive remove gaming-pc"],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { client } = connect();
      const { hives } = await client.fleet({ signal });
      const hive = pick(hives, wanted, "hive", { id: ({ hive_id }) => hive_id, name: ({ name }) => name });
      await client.removeHive({ params: { id: hive.hive_id }, signal });
      narrate("queen", `forgot ${hive.name}`);
      answer({ removed: { hive_id: hive.hive_id, name: hive.name } }, () => "");
    }),
  );
}
