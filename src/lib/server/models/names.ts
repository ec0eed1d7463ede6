import type { HiveModel } from "@rbee/contract";
import type { ModelDecisions } from "./store.ts";

/** What names are made of: the models on the hives, and what the household decided. */
export interface NameSources {
  readonly models: readonly Pick<HiveModel, "id" | "aliases" | "pinned">[];
  readonly decisions: ReadonlyMap<string, Pick<ModelDecisions, "aliases" | "pinned">>;
}

/** Every name of the household's models. */
export interface ModelNames {
  /** The model that a name means: its own id before anybody's alias. Null when the name means none. */
  modelOf(name: string): string | null;
  /** Other names of a model, sorted. */
  aliasesOf(modelId: string): readonly string[];
  isPinned(modelId: string): boolean;
}

/**
 * Puts names together. Where the household decided about a model, that counts; of others, what their hives say. An
 * alias that several claim means the model that is first by its id, so that the answer is always the same.
 */
export function modelNames({ models, decisions }: NameSources): ModelNames {
  const ids = new Set([...models.map(({ id }) => id), ...decisions.keys()]);
  const meaning = new Map<string, string>();
  const claim = (alias: string, id: string) => {
    if (!ids.has(alias) && !meaning.has(alias)) meaning.set(alias, id);
  };
  for (const [id, { aliases }] of [...decisions].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const alias of aliases) claim(alias, id);
  for (const { id, aliases } of models.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    if (!decisions.has(id)) for (const alias of aliases) claim(alias, id);
  const others = new Map<string, string[]>();
  for (const [alias, id] of meaning) others.set(id, [...(others.get(id) ?? []), alias]);
  for (const aliases of others.values()) aliases.sort();
  const pinned = new Set([
    ...models.filter((model) => model.pinned && !decisions.has(model.id)).map(({ id }) => id),
    ...[...decisions].filter(([, decision]) => decision.pinned).map(([id]) => id),
  ]);
  return {
    isPinned: (modelId) => pinned.has(modelId),
    modelOf: (name) => (ids.has(name) ? name : (meaning.get(name) ?? null)),
    aliasesOf: (modelId) => others.get(modelId) ?? [],
  };
}
