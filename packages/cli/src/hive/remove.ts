import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { UsageError } from "../failure.ts";
import { pick } from "../pick.ts";
import { machineNamed, registeredMachines } from "./registered.ts";

/** `rbee hive remove`: forgets a hive, and the machine under that name. */
export function hiveRemove(parent: Command, name = "remove"): void {
  verb(parent, `${name} <hive>`, {
    summary: "forget a machine; its agent keeps running until it is stopped or uninstalled there",
    examples: [`rbee ${parent.name()} ${name} gaming-pc`],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async (context) => {
      const { signal, answer, narrate } = context;
      const connection = context.connect();
      const { client } = connection;
      const [{ hives }, machines] = await Promise.all([
        client.fleet({ signal }),
        registeredMachines(connection, context),
      ]);
      const machine = machineNamed(machines, wanted) ?? machines.find(({ hive_id }) => hive_id === wanted);
      const names = {
        id: (hive: (typeof hives)[number]) => hive.hive_id,
        name: (hive: (typeof hives)[number]) => hive.name,
      };
      const hive = machine === undefined ? pick(hives, wanted, "hive", names) : undefined;
      const hiveId = hive?.hive_id ?? hives.find(({ hive_id }) => hive_id === machine?.hive_id)?.hive_id;
      const called = hive?.name ?? machine?.name;
      if (called === undefined) throw new UsageError(`There is no hive ${wanted}.`);
      if (machine !== undefined) await client.removeBeehive({ params: { name: machine.name }, signal });
      if (hiveId !== undefined) await client.removeHive({ params: { id: hiveId }, signal });
      narrate("queen", `forgot ${called}`);
      answer({ removed: { hive_id: hiveId ?? null, name: called } }, () => "");
    }),
  );
}
