import { modelIdSchema, stemOf } from "@rbee/contract";

/**
 * Ids for a model that is named by its file: the file's name first, then with the owner of the repository, then
 * numbered. They name a folder, so what a folder's name may not hold is replaced.
 */
export function* idsFor(path: string, owner: string | undefined): Generator<string> {
  const clean = (text: string) => text.replaceAll(/[^A-Za-z0-9._-]+/gu, "-").replace(/^[^A-Za-z0-9_]+/u, "");
  const stem = clean(stemOf(path)).slice(0, 140) || "model";
  const owned = owner === undefined ? stem : `${stem}@${clean(owner).slice(0, 50)}`;
  if (modelIdSchema.safeParse(stem).success) yield stem;
  if (owned !== stem) yield owned;
  for (let number = 2; ; number += 1) yield `${owned}-${number}`;
}
