import type { EndpointTable } from "../endpoint.ts";
import { jobAcceptedSchema, jobRequestSchema, jobSchema, jobsQuerySchema } from "../jobs.ts";
import { list } from "./list.ts";

/** Operations that take time. */
export const jobsEndpoints = {
  startJob: {
    method: "POST",
    path: "/v1/jobs",
    owner: "admin",
    tag: "jobs",
    summary: "Starts an operation that takes time, and answers at once; the stream tells how it goes.",
    status: 202,
    body: jobRequestSchema,
    answer: jobAcceptedSchema,
  },
  listJobs: {
    method: "GET",
    path: "/v1/jobs",
    owner: "admin",
    tag: "jobs",
    summary: "The household's jobs, newest first.",
    status: 200,
    query: jobsQuerySchema,
    answer: list(jobSchema),
  },
  getJob: {
    method: "GET",
    path: "/v1/jobs/{id}",
    owner: "admin",
    tag: "jobs",
    summary: "One job.",
    status: 200,
    answer: jobSchema,
  },
  cancelJob: {
    method: "DELETE",
    path: "/v1/jobs/{id}",
    owner: "admin",
    tag: "jobs",
    summary: "Tells a job to stop; its stream ends with the result `cancelled`. One that is over stays as it is.",
    status: 204,
    answer: "none",
  },
  streamJob: {
    method: "GET",
    path: "/v1/jobs/{id}/stream",
    owner: "admin",
    tag: "jobs",
    summary:
      "Server-sent events: everything the job has told so far, then live `narration` and `progress`, one `result`, and `[DONE]`. `Last-Event-ID` resumes.",
    status: 200,
    answer: "event-stream",
  },
} as const satisfies EndpointTable;
