import type { HiveClient, HiveJobRequest, JobEvent, ResultEvent } from "@rbee/contract";
import { readJobEvents } from "@rbee/jobs";

type Input = HiveJobRequest extends infer R
  ? R extends HiveJobRequest
    ? Partial<R> & Pick<R, "operation">
    : never
  : never;

export interface FollowedJob {
  readonly id: string;
  readonly events: JobEvent[];
  /** The messages that were narrated so far. */
  messages(): string[];
  /** Resolves with the last event. */
  readonly result: Promise<ResultEvent>;
}

/** Starts a job on a hive and follows its stream. */
export async function startJob(client: HiveClient, body: Input): Promise<FollowedJob> {
  const { job_id } = await client.startJob({ body: body as HiveJobRequest });
  const { body: stream } = await client.raw.streamJob({ params: { id: job_id } });
  const events: JobEvent[] = [];
  const read = async () => {
    for await (const event of readJobEvents(stream)) {
      events.push(event);
      if (event.type === "result") return event;
    }
    throw new Error("The stream ended without a result.");
  };
  return {
    id: job_id,
    events,
    messages: () => events.flatMap((event) => (event.type === "narration" ? [event.message] : [])),
    result: read(),
  };
}

/** Runs a job to its end. */
export async function performJob(client: HiveClient, body: Input) {
  const job = await startJob(client, body);
  return { ...job, result: await job.result };
}
