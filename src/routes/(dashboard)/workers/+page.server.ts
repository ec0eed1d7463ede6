import { personOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const { user } = personOf(event);
  const { jobs } = event.locals.queen;
  if (user.role !== "admin") return { work: null };
  // What a reload finds again: a model that is being loaded, a worker that is being stopped.
  const job = jobs
    .list({ limit: 50 })
    .find(({ operation, state }) => state === "running" && operation.startsWith("worker_"));
  return { work: job === undefined ? null : { job, events: jobs.events(job.job_id) } };
};
