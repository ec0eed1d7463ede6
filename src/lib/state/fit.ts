import type { HiveFit, HubStarter } from "@rbee/contract";

/** How a model stands on one machine, for a glance: memory and disk in one. The best first. */
export const standings = ["here", "fits", "fits_after_unloading", "no_disk", "unknown", "too_big"] as const;
export type Standing = (typeof standings)[number];

/** Memory decides first: where a model is too big, the disk does not matter. */
export function standingOf({ verdict, model, disk }: HiveFit): Standing {
  if (verdict === "too_big") return "too_big";
  if (model !== null) return "here";
  return disk.enough === false ? "no_disk" : verdict;
}

interface Holder {
  readonly hive_id: string;
  readonly capabilities: { readonly models: readonly { id: string; reference: string | null }[] } | null;
}

/** The same fits with what the machines have by now: a model that has come since is there. */
export function asOfNow(fits: readonly HiveFit[], reference: string, hives: readonly Holder[]): HiveFit[] {
  return fits.map((fit) => {
    const hive = hives.find(({ hive_id }) => hive_id === fit.hive_id);
    const model = hive?.capabilities?.models.find((each) => each.reference === reference)?.id;
    return model === undefined ? fit : { ...fit, model };
  });
}

export interface FitSummary {
  readonly standing: Standing;
  /** Names of the machines that stand so. */
  readonly names: readonly string[];
}

/** The best standing of all, with the machines it holds for; null without machines. */
export function summaryOf(fits: readonly HiveFit[]): FitSummary | null {
  const each = fits.map((fit) => ({ standing: standingOf(fit), name: fit.name }));
  const standing = standings.find((candidate) => each.some((one) => one.standing === candidate));
  if (standing === undefined) return null;
  return { standing, names: each.filter((one) => one.standing === standing).map(({ name }) => name) };
}

const isGood = (standing: Standing | undefined) => standing === "fits" || standing === "fits_after_unloading";
/** Without a GPU the time for a word grows with the size; up to this one it keeps pace with reading on most computers. */
const mostBytesOnCpu = 5.5e9;

/** The most able of the models to begin with that fits as things are and answers fast enough; null when none does. */
export function suggestedOf(starters: readonly HubStarter[]): string | null {
  const runsWell = ({ fits, size_bytes }: HubStarter) =>
    fits.some((fit) => standingOf(fit) === "fits" && (fit.device !== "cpu" || size_bytes <= mostBytesOnCpu));
  return starters.findLast(runsWell)?.reference ?? null;
}

/** Of the models to begin with the suggested one, or the most able, of each size that can run here and is not here yet. */
export function shortListOf(starters: readonly HubStarter[]): HubStarter[] {
  const suggested = suggestedOf(starters);
  const able = starters.filter(({ fits }) => isGood(summaryOf(fits)?.standing));
  const bySize = Map.groupBy(able, ({ size_class }) => size_class);
  return [...bySize.values()].flatMap(
    (group) => group.find(({ reference }) => reference === suggested) ?? group.at(-1) ?? [],
  );
}
