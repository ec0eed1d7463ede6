import type { HiveState } from "#lib/server/hives/index.ts";

/** What stands in the way of spreading a model over these hives now, in plain sentences. */
export function spreadNotes(
  modelId: string,
  across: readonly string[],
  hives: readonly Pick<HiveState, "hiveId" | "name" | "capabilities">[],
): string[] {
  const named = across.map((id) => hives.find(({ hiveId }) => hiveId === id));
  const notes = named.flatMap((hive) => {
    if (hive === undefined) return ["One of the machines that it is spread over has left the household."];
    if (hive.capabilities === null) return [];
    const fact = hive.capabilities.engine_facts.find(({ engine }) => engine === "llama-server");
    if (fact?.spreads === true) return [];
    const why =
      fact?.problem ?? (fact === undefined ? "it has no llama-server" : "its llama-server was built without that");
    return [`${hive.name} cannot take part yet: ${why.replace(/\.$/u, "")}.`];
  });
  const has = named.some((hive) => hive?.capabilities?.models.some(({ id }) => id === modelId));
  const [main] = named;
  if (across.length > 0 && !has && main !== undefined)
    notes.push(`${main.name} needs the model's files: \`rbee model pull ${modelId} --hive ${main.name}\`.`);
  return notes;
}
