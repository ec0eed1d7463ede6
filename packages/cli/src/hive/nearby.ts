import type { NearbyMachine } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

const words: Record<NearbyMachine["state"], string> = {
  enrolled: "● enrolled",
  not_adopted: "◐ not adopted",
  no_hive: "◌ no hive",
  unreachable: "○ unreachable",
  unknown: "– not checked",
};
const sources: Record<NearbyMachine["sources"][number], string> = {
  ssh_config: "ssh config",
  hives_conf: "hives.conf",
  registry: "registered",
  mdns: "announced",
};

/** Machines that could join, as a table. */
export function nearbyTable(machines: readonly NearbyMachine[], now: number): string {
  if (machines.length === 0) return "";
  return table(machines, [
    { title: "MACHINE", cell: ({ name }) => name },
    { title: "STATE", cell: ({ state }) => words[state] },
    { title: "TARGET", cell: ({ target }) => orDash(target) },
    { title: "ADDRESS", cell: ({ address }) => orDash(address) },
    { title: "VERSION", cell: ({ version }) => orDash(version) },
    { title: "KNOWN FROM", cell: (machine) => machine.sources.map((source) => sources[source]).join(", ") },
    { title: "CHECKED", cell: ({ checked_at }) => formatMoment(checked_at, now) },
    { title: "", cell: ({ problem }) => problem ?? "" },
  ]);
}

/** `rbee hive nearby`. */
export function hiveNearby(parent: Command): void {
  verb(parent, "nearby", {
    summary: "list machines that could join: from the ssh config, hives.conf, and hives that announce themselves",
    examples: ["rbee hive nearby"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { data } = await connect().client.nearbyMachines({ signal, timeoutMs: 30_000 });
      if (data.length === 0) narrate("queen", "knows of no machine; name one with `rbee hive install USER@ADDRESS`");
      if (data.some(({ state }) => state === "not_adopted"))
        narrate("keeper", "`rbee hive adopt TARGET` takes over a hive that is not adopted");
      answer(data, () => nearbyTable(data, Date.now()));
    }),
  );
}
