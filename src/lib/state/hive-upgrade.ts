import type { FleetHive, FleetSnapshot } from "@rbee/contract";

/**
 * The version that a hive could be upgraded to: the queen's, when the hive is known to run another one. Null when it
 * runs the same, when what it runs is not known, and for a hive that the queen cannot reach over SSH.
 */
export function canUpgrade(
  { capabilities, enrolment }: Pick<FleetHive, "capabilities" | "enrolment">,
  queen: Pick<FleetSnapshot["queen"], "version">,
): string | null {
  if (enrolment !== "ssh" && enrolment !== "adopted") return null;
  return capabilities === null || capabilities.version === queen.version ? null : queen.version;
}
