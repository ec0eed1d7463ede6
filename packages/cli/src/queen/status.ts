import type { FleetSnapshot } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { hiveTable } from "../hive/table.ts";
import { modelTable } from "../model/list.ts";
import { workerTable } from "../worker/list.ts";

/** The whole household for people: one sentence, then a table of each kind of thing that there is. */
export function statusText(url: string, fleet: FleetSnapshot): string {
  const healthy = fleet.hives.filter(({ health }) => health === "healthy").length;
  const loaded = fleet.models.filter(({ state }) => state === "loaded").length;
  const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const sentence = [
    `${fleet.queen.household} at ${url} (rbee ${fleet.queen.version})`,
    `${counted(fleet.hives.length, "hive")}, ${healthy} healthy`,
    `${counted(fleet.models.length, "model")}, ${loaded} loaded`,
    `${fleet.totals.tokens_per_s.toFixed(1)} tokens/s`,
  ].join(" · ");
  const workers = fleet.hives.flatMap((hive) =>
    hive.workers.map((worker) => ({ ...worker, hive_id: hive.hive_id, hive: hive.name })),
  );
  const tables = [hiveTable(fleet.hives, fleet.ts), workerTable(workers), modelTable(fleet)];
  return [sentence, ...tables.filter((text) => text !== "")].join("\n\n");
}

/** `rbee status`. */
export function status(parent: Command): void {
  verb(parent, "status", {
    summary: "show the queen, her hives, workers and models",
    examples: ["rbee status", "rbee status --json"],
  }).action((options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { client, url } = connect();
      const health = await client.health({ signal });
      if (!health.ready) {
        narrate("queen", `runs at ${url} and waits for its first administrator: open that address`);
        answer({ queen: { url, version: health.version, ready: false } }, () => "");
        return;
      }
      const fleet = await client.fleet({ signal });
      answer({ ...fleet, queen: { ...fleet.queen, url, ready: true } }, () => statusText(url, fleet));
    }),
  );
}
