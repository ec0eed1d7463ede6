import type { Job, JobEvent } from "@rbee/contract";

/** A job about models that runs now, with what it has told, so that a reload finds it again. */
export interface ModelJob {
  readonly job: Job;
  readonly events: readonly JobEvent[];
}

/** The newest running job about a model that `concerns` accepts; null when there is none. */
export function modelWork({ queen }: App.Locals, concerns: (job: Job) => boolean): ModelJob | null {
  const job = queen.jobs
    .list({ limit: 100 })
    .find((each) => each.state === "running" && each.operation.startsWith("model_") && concerns(each));
  return job === undefined ? null : { job, events: [...queen.jobs.events(job.job_id)] };
}
