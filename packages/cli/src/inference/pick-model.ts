import type { FleetModel } from "@rbee/contract";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { formatBytes } from "../terminal/format.ts";
import { ask } from "../terminal/prompt.ts";
import { obviousModel, reportedModels, whichModel } from "./choose-model.ts";

/** The model that a person means by its place in the list, its id or the beginning of its id; undefined for none. */
export function pickedModel(models: readonly FleetModel[], typed: string): string | undefined {
  const exact = models.find(({ id }) => id === typed) ?? (/^\d+$/u.test(typed) ? models[Number(typed) - 1] : undefined);
  if (exact !== undefined) return exact.id;
  const [first, ...more] = typed === "" ? [] : models.filter(({ id }) => id.startsWith(typed));
  return more.length === 0 ? first?.id : undefined;
}

/**
 * The model to talk to: the only one, else the one that a person at the terminal picks.
 * @throws {UsageError} when nobody can be asked.
 */
export async function pickModel(context: Context, { client }: Connection): Promise<string> {
  const { terminal, signal } = context;
  const models = await reportedModels(client, signal);
  const obvious = obviousModel(models);
  if (models.length === 1 && obvious !== undefined) return obvious;
  if (!terminal.interactive) {
    if (obvious !== undefined) return obvious;
    throw whichModel(models, "");
  }
  const width = Math.max(...models.map(({ id }) => id.length));
  for (const [index, { id, size_bytes, state }] of models.entries())
    terminal.error(
      `${String(index + 1).padStart(3)}  ${id.padEnd(width)}  ${formatBytes(size_bytes).padStart(9)}  ${state === "unloaded" ? "" : state}`.trimEnd(),
    );
  for (;;) {
    const typed = await ask(`Which one? ${obvious === undefined ? "" : `[${obvious}] `}`, signal);
    if (typed === "" && obvious !== undefined) return obvious;
    if (typed === "") throw whichModel(models, "");
    const model = pickedModel(models, typed);
    if (model !== undefined) return model;
    terminal.error("Type its number or its name.");
  }
}
