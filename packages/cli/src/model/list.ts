import type { FleetModel, FleetSnapshot } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatBytes, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

/** The models of a fleet as a table, with the names of the hives that have them. */
export function modelTable({ models, hives }: Pick<FleetSnapshot, "models" | "hives">): string {
  if (models.length === 0) return "";
  const nameOf = (id: string) => hives.find(({ hive_id }) => hive_id === id)?.name ?? id;
  const placesOf = ({ hives: holders, external = [] }: FleetModel) => [
    ...holders.map(nameOf),
    ...external.map(({ name, hive_id }) => `${name} on ${nameOf(hive_id)}`),
  ];
  return table(models, [
    { title: "MODEL", cell: ({ id }) => id },
    {
      title: "STATE",
      cell: ({ state, load_progress }) =>
        state === "loading" && load_progress !== null ? `loading ${Math.round(load_progress * 100)} %` : state,
    },
    { title: "SIZE", cell: ({ size_bytes }) => formatBytes(size_bytes), align: "right" },
    { title: "QUANT", cell: ({ quantization }) => orDash(quantization) },
    { title: "CONTEXT", cell: ({ context_length }) => orDash(context_length), align: "right" },
    { title: "HIVES", cell: (model) => placesOf(model).join(", ") },
  ]);
}

/** `rbee model list`. */
export function modelList(parent: Command): void {
  verb(parent, "list", { summary: "list the models of the household", examples: ["rbee model list"] }).action(
    (options: CommonOptions) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const fleet = await connect().client.fleet({ signal });
        if (fleet.models.length === 0) narrate("queen", "no hive has a model, or none has reported yet");
        answer(fleet.models, () => modelTable(fleet));
      }),
  );
}
