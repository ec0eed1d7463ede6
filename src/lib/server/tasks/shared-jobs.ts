import { RbeeError, type JobRequest } from "@rbee/contract";
import { currentSignal, readJobEvents, relay } from "@rbee/jobs";
import type { Person } from "#lib/server/accounts/index.ts";
import type { HouseholdJobs } from "#lib/server/jobs/index.ts";

/** Jobs that tasks need, each shared by all who need the same one. */
export interface SharedJobs {
  /**
   * Does a job, or follows the one that somebody else has begun, and tells its events in the job that runs now. It is
   * cancelled when the last task that follows it stops, but not when somebody began it by themselves.
   * @returns what the job gave.
   * @throws {RbeeError} what starting it throws, and what it failed with.
   */
  run(person: Person, request: JobRequest): Promise<Record<string, unknown>>;
}

interface Followed {
  readonly jobId: string;
  readonly isOurs: boolean;
  followers: number;
}

/** The job that stands in the way of a second one, if it does the same. */
function sameJob(jobs: Pick<HouseholdJobs, "get">, request: JobRequest, thrown: unknown): string | undefined {
  if (!(thrown instanceof RbeeError) || thrown.code !== "already_exists") return undefined;
  const jobId: unknown = thrown.details?.["job_id"];
  if (typeof jobId !== "string") return undefined;
  return jobs.get(jobId).operation === request.operation ? jobId : undefined;
}

export function createSharedJobs(jobs: Pick<HouseholdJobs, "start" | "stream" | "cancel" | "get">): SharedJobs {
  const followed = new Map<string, Followed>();

  const begin = (person: Person, request: JobRequest): Followed => {
    try {
      return { jobId: jobs.start(person, request).job_id, isOurs: true, followers: 0 };
    } catch (thrown) {
      const jobId = sameJob(jobs, request, thrown);
      if (jobId === undefined) throw thrown;
      return { jobId, isOurs: false, followers: 0 };
    }
  };

  return {
    async run(person, request) {
      const key = JSON.stringify(request);
      const job = followed.get(key) ?? begin(person, request);
      followed.set(key, job);
      job.followers++;
      const reading = new AbortController();
      const { signal } = reading;
      const stop = currentSignal();
      let hasLeft = false;
      const leave = () => {
        if (hasLeft) return;
        hasLeft = true;
        job.followers--;
        if (job.followers === 0 && followed.get(key) === job) followed.delete(key);
      };
      try {
        const events = readJobEvents(jobs.stream(job.jobId, { afterSeq: 0, signal }), { source: "the queen" });
        return await relay(events, {
          actor: "queen",
          cancel: async () => {
            leave();
            // Others go on with it: there is nothing to wait for.
            if (job.followers > 0 || !job.isOurs) throw stop.reason;
            jobs.cancel(person, job.jobId);
          },
        });
      } finally {
        leave();
        reading.abort();
      }
    },
  };
}
