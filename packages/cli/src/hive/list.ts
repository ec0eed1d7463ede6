import type { Beehive } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";
import { methodText } from "./method.ts";
import { registeredMachines } from "./registered.ts";
import { hiveTable } from "./table.ts";

/** Machines that the queen reaches over SSH, as a table. */
export function machineTable(machines: readonly Beehive[], now: number): string {
  return table(machines, [
    { title: "MACHINE", cell: ({ name }) => name },
    { title: "TARGET", cell: ({ target }) => target },
    { title: "HIVE", cell: ({ hive_id }) => (hive_id === null ? "not installed" : "installed") },
    { title: "PORT", cell: ({ hive_port }) => String(hive_port), align: "right" },
    { title: "AUTO START", cell: ({ auto_start }) => (auto_start ? "yes" : "no") },
    { title: "METHOD", cell: ({ install_method }) => methodText(install_method) },
    { title: "ADDED", cell: ({ created_at }) => formatMoment(created_at, now) },
  ]);
}

/** `rbee hive list`. */
export function hiveList(parent: Command, name = "list"): void {
  verb(parent, name, {
    summary: "list the hives, and the machines that the queen reaches over SSH",
    examples: [`rbee ${parent.name()} ${name}`],
  }).action((options: CommonOptions) =>
    perform(options, async (context) => {
      const { signal, answer, narrate } = context;
      const connection = context.connect();
      const [{ hives }, machines] = await Promise.all([
        connection.client.fleet({ signal }),
        registeredMachines(connection, context),
      ]);
      if (hives.length === 0)
        narrate(
          "queen",
          "has no hives yet; `rbee hive install TARGET` makes a machine one, `rbee hive nearby` looks around",
        );
      const now = Date.now();
      const tables = [hiveTable(hives, now), machines.length === 0 ? "" : machineTable(machines, now)];
      answer({ hives, machines }, () => tables.filter((text) => text !== "").join("\n\n"));
    }),
  );
}
