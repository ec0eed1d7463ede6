import { RbeeError, type HiveJobRequest } from "@rbee/contract";
import { followJobEvents, narrate, relay } from "@rbee/jobs";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";

/** With waits of at most 8 s between them: a machine has time to start again. */
const attemptsToConnect = 12;
/** How often a job is started again on a hive that has forgotten it. */
const startsAgain = 3;

/** What is needed to let a hive do something. */
export interface HiveJobParts {
  readonly hives: Pick<HivesService, "contact">;
  /** Whether the queen is going: what a hive does then, it goes on with. */
  readonly stopping: () => boolean;
}

/**
 * Lets a hive do something as a job of its own, and tells its events in the job that runs now, under the hive's name.
 * A stream that drops is taken up again after the last event; a hive that was started again meanwhile has forgotten
 * the job, so it is asked once more. The hive's job is cancelled when this one has to stop, but not when the queen stops:
 * a download need not begin again because of that.
 * @returns what the hive's job gave.
 * @throws {RbeeError} the error of the hive's job; `hive_unreachable`, `hive_invalid_response`.
 */
export async function performOnHive(
  parts: HiveJobParts,
  hive: HiveState,
  request: HiveJobRequest,
): Promise<Record<string, unknown>> {
  for (let forgotten = 0; ;)
    try {
      return await performOnce(parts, hive, request);
    } catch (error) {
      if (!(error instanceof RbeeError) || error.code !== "job_not_found" || ++forgotten > startsAgain) throw error;
      narrate({
        action: "restarted",
        level: "warn",
        message: `${hive.name} was started again in the middle of it, and goes on where it was.`,
      });
    }
}

async function performOnce(
  { hives: { contact }, stopping }: HiveJobParts,
  hive: HiveState,
  body: HiveJobRequest,
): Promise<Record<string, unknown>> {
  const { job_id } = await contact.client(hive).startJob({ body });
  const params = { id: job_id };
  const reading = new AbortController();
  const { signal } = reading;
  const open = (afterSeq: number) =>
    // Made anew each time: a machine may come back under another address.
    contact.client(hive).raw.streamJob({
      params,
      signal,
      headers: afterSeq === 0 ? {} : { "last-event-id": String(afterSeq) },
    });
  const events = followJobEvents(async (afterSeq) => open(afterSeq), {
    source: hive.name,
    attempts: attemptsToConnect,
    signal,
  });
  try {
    return await relay(events, {
      actor: `hive:${hive.name}`,
      cancel: () => {
        if (stopping()) throw new RbeeError("overloaded", `${hive.name} goes on with it while the queen is away.`);
        return contact.client(hive).cancelJob({ params });
      },
    });
  } finally {
    reading.abort();
  }
}
