import {
  repositoryNamed,
  type FitVerdict,
  type HiveFit,
  type HubModel,
  type HubRepository,
  type HubStarter,
} from "@rbee/contract";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { formatBytes, orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

interface Options extends CommonOptions {
  readonly limit?: number;
  readonly context?: number;
  readonly starters?: true;
}

const shapes: Record<FitVerdict, string> = { fits: "●", fits_after_unloading: "◐", too_big: "○", unknown: "–" };
const legend = "● fits  ◐ fits after unloading  ○ too big  – not known  ✓ is there  ! disk too full";
/** The hub itself may take 10 s. */
const timeoutMs = 20_000;

/** How a model fits on each hive, by shape and name. */
export function fitCell(fits: readonly HiveFit[]): string {
  const one = ({ name, verdict, model, disk }: HiveFit) =>
    `${shapes[verdict]} ${name}${model === null ? (disk.enough === false ? " !" : "") : " ✓"}`;
  return fits.length === 0 ? "–" : fits.map(one).join("  ");
}

/** A number of parameters or downloads in three digits: `1.2M`, `8B`. */
function short(value: number | null): string {
  if (value === null) return "–";
  const units = [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const;
  const [size, unit] = units.find(([least]) => value >= least) ?? [1, ""];
  const scaled = value / size;
  return `${scaled.toFixed(scaled < 10 && size > 1 ? 1 : 0)}${unit}`;
}

/** What a search found, as a table. */
export function foundTable(models: readonly HubModel[]): string {
  if (models.length === 0) return "";
  const mark = ({ gated, private: own }: HubModel) => (gated ? " (gated)" : own ? " (private)" : "");
  return table(models, [
    { title: "PARAMS", cell: ({ parameters }) => short(parameters), align: "right" },
    { title: "PULLS", cell: ({ downloads }) => short(downloads), align: "right" },
    { title: "FITS IN Q4", cell: ({ fits }) => fitCell(fits) },
    // Last, so that a long name widens no other line.
    { title: "REPOSITORY", cell: (model) => `${model.repository}${mark(model)}` },
  ]);
}

/** The models of one repository, as a table. */
export function filesTable({ files }: HubRepository): string {
  if (files.length === 0) return "";
  return table(files, [
    { title: "TO PULL", cell: ({ reference }) => reference },
    { title: "SIZE", cell: ({ size_bytes }) => formatBytes(size_bytes), align: "right" },
    { title: "PARTS", cell: ({ parts }) => (parts === 1 ? "" : String(parts)), align: "right" },
    { title: "FITS ON", cell: ({ fits }) => fitCell(fits) },
  ]);
}

/** The models to begin with, as a table. */
export function starterTable(starters: readonly HubStarter[]): string {
  if (starters.length === 0) return "";
  return table(starters, [
    { title: "CLASS", cell: ({ size_class }) => size_class },
    { title: "TO PULL", cell: ({ reference }) => reference },
    { title: "SIZE", cell: ({ size_bytes }) => formatBytes(size_bytes), align: "right" },
    { title: "FITS ON", cell: ({ fits }) => fitCell(fits) },
  ]);
}

async function showStarters({ connect, signal, answer, narrate }: Context, context: number | undefined) {
  const { data } = await connect().client.hubStarters({ query: { context }, signal });
  narrate("keeper", `${legend}; figures are approximate, and rbee model pull takes the hub's`);
  answer(data, () => starterTable(data));
}

async function showFiles({ connect, signal, answer, narrate }: Context, named: string, context: number | undefined) {
  const [owner = "", name = ""] = named.split("/");
  const found = await connect().client.hubRepository({
    params: { owner, name },
    query: { context },
    signal,
    timeoutMs,
  });
  const { files, gated } = found;
  if (gated) narrate("hub", `asks people to apply for access to ${named} on its page`);
  if (files.length === 0) narrate("hub", `has no GGUF file in ${named}`);
  else narrate("keeper", legend);
  if (files.some(({ basis }) => basis === "size"))
    narrate("keeper", "a header could not be read, so the estimate goes by the file's size alone");
  const trained = found.context_length;
  if (trained !== null) narrate("hub", `${named} was trained for ${orDash(trained)} tokens of context`);
  answer(found, () => filesTable(found));
}

async function showFound({ connect, signal, answer, narrate }: Context, q: string, { limit, context }: Options) {
  const { data } = await connect().client.searchHub({ query: { q, limit, context }, signal, timeoutMs });
  if (data.length === 0) narrate("hub", "has nothing with GGUF files that matches; try fewer words");
  else narrate("keeper", `${legend}; rbee model search ORG/REPO lists the files of one`);
  answer(data, () => foundTable(data));
}

/** `rbee model search`: the hub's models and whether they fit. */
export function modelSearch(parent: Command): void {
  verb(parent, "search [words...]", {
    summary: "search the hub, or list the files of one repository, and see what fits on which machine",
    examples: [
      "rbee model search qwen3 8b",
      "rbee model search Qwen/Qwen3-8B-GGUF --context 16384",
      "rbee model search --starters",
    ],
  })
    .option("--limit <n>", "how many repositories", wholeNumber(1, 100), 20)
    .option("--context <tokens>", "context per slot that it must fit with", wholeNumber(256, 16_777_216))
    .option("--starters", "well-known models to begin with, without asking the hub")
    .action((words: string[], options: Options) =>
      perform(options, async (context) => {
        const q = words.join(" ").trim();
        const named = repositoryNamed(q);
        if (options.starters === true) await showStarters(context, options.context);
        else if (named === null) await showFound(context, q, options);
        else await showFiles(context, named, options.context);
      }),
    );
}
