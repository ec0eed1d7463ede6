import type { JobEvent, QueenClient } from "@rbee/contract";
import { readJobEvents } from "@rbee/jobs";

/** Follows a job over one connection, event by event, to its result. */
export async function* followJob(client: QueenClient, jobId: string, afterSeq = 0): AsyncGenerator<JobEvent> {
  const response = await client.raw.streamJob({
    params: { id: jobId },
    headers: afterSeq === 0 ? {} : { "last-event-id": String(afterSeq) },
  });
  yield* readJobEvents(response.body, { afterSeq });
}

/** Everything a job tells until it is over. */
export async function wholeJob(client: QueenClient, jobId: string, afterSeq = 0): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of followJob(client, jobId, afterSeq)) events.push(event);
  return events;
}
