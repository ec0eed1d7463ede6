import type { FleetHive, QueenClient } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { UsageError } from "../failure.ts";
import { pick } from "../pick.ts";

interface PlaceOptions extends CommonOptions {
  readonly across?: string;
  readonly anywhere?: boolean;
}

/** The hives that a list of names or ids means, in its order. */
async function hivesMeant(client: QueenClient, list: string, signal: AbortSignal): Promise<FleetHive[]> {
  const { hives } = await client.fleet({ signal });
  const wanted = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const found = wanted.map((name) =>
    pick(hives, name, "hive", { id: ({ hive_id }) => hive_id, name: (hive) => hive.name }),
  );
  if (new Set(found).size < 2)
    throw new UsageError("A model is spread over two machines at least.", "Name two or more: --across attic,cellar.");
  return found;
}

/** `rbee model place`. */
export function modelPlace(parent: Command): void {
  verb(parent, "place <model>", {
    summary: "spread one model over several machines, or let it run on one again",
    examples: ["rbee model place llama-70b --across attic,cellar", "rbee model place llama-70b --anywhere"],
  })
    .option("--across <hives>", "the machines that share it, with commas; the first one with its files leads")
    .option("--anywhere", "on one machine, wherever it fits")
    .action((model: string, { across, anywhere, ...common }: PlaceOptions) =>
      perform(common, async ({ connect, narrate, answer, signal }) => {
        if ((across === undefined) === (anywhere !== true))
          throw new UsageError("Where is it to run?", "Name the machines, --across attic,cellar, or say --anywhere.");
        const { client } = connect();
        const hives = across === undefined ? [] : await hivesMeant(client, across, signal);
        const settings = await client.updateModelSettings({
          params: { id: model },
          body: { across: hives.map(({ hive_id }) => hive_id) },
          signal,
        });
        narrate(
          "queen",
          hives.length === 0
            ? `${settings.model} runs on one machine, wherever it fits`
            : `${settings.model} is spread over ${hives.map(({ name }) => name).join(" and ")}`,
        );
        for (const note of settings.notes) narrate("queen", note);
        answer(settings, () => "");
      }),
    );
}
