import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { hiveTable } from "./table.ts";

/** `rbee hive list`. */
export function hiveList(parent: Command): void {
  verb(parent, "list", { summary: "list the machines of the household", examples: ["rbee hive list"] }).action(
    (options: CommonOptions) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const { hives } = await connect().client.fleet({ signal });
        if (hives.length === 0) narrate("queen", "has no hives yet; `rbee hive token create` lets a machine join");
        answer(hives, () => hiveTable(hives, Date.now()));
      }),
  );
}
