import type { HouseholdWorker } from "@rbee/contract";
import { orDash } from "../terminal/format.ts";

/** What a worker computes on: its device, or the server of somebody else that answers for it. */
export function whereOf({ device, external }: Pick<HouseholdWorker, "device" | "external">): string {
  if (external === undefined) return orDash(device);
  return external.address === null ? external.name : `${external.name} (${external.address})`;
}
