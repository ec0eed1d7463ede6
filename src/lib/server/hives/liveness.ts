import { freshnessMs, type Health } from "@rbee/contract";

export interface Freshness {
  /** When this queen got the hive's last heartbeat; null when it got none since it started. */
  readonly lastHeartbeatAt: number | null;
  /** When the queen began to expect one: its own start or the hive's enrolment, whichever is later. */
  readonly expectedSince: number;
  /** Whether any queen process ever heard of this hive. */
  readonly knownBefore: boolean;
}

/**
 * A hive's health from the age of its last heartbeat: `healthy` under 3 s, `degraded` to 10 s, then `down`. A hive
 * that was never heard of is `starting`; one that was, gets 10 s after a restart of the queen to come back.
 */
export function healthOf({ lastHeartbeatAt, expectedSince, knownBefore }: Freshness, now: number): Health {
  if (lastHeartbeatAt === null) return knownBefore && now - expectedSince > freshnessMs.downAfter ? "down" : "starting";
  const age = now - lastHeartbeatAt;
  if (age < freshnessMs.degradedAfter) return "healthy";
  return age <= freshnessMs.downAfter ? "degraded" : "down";
}
