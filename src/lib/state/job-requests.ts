import type { Job, jobRequestSchema, NearbyMachine } from "@rbee/contract";
import type * as z from "zod";
import { askQueen } from "./ask-queen.ts";

/** What starts a job, before defaults are filled in. */
export type JobInput = z.input<typeof jobRequestSchema>;

const pathOf = (jobId: string) => `/v1/jobs/${encodeURIComponent(jobId)}`;

/** Starts a job and gives it as it is then. @throws {RequestProblem} */
export async function startJob(request: JobInput): Promise<Job> {
  const { job_id } = (await askQueen("POST", "/v1/jobs", request)) as { job_id: string };
  return (await askQueen("GET", pathOf(job_id))) as Job;
}

/** Tells a job to stop. @throws {RequestProblem} */
export async function cancelJob(jobId: string): Promise<void> {
  await askQueen("DELETE", pathOf(jobId));
}

/** Machines that could join, as the queen's last look found them. @throws {RequestProblem} */
export async function nearbyMachines(): Promise<NearbyMachine[]> {
  return ((await askQueen("GET", "/v1/machines/nearby")) as { data: NearbyMachine[] }).data;
}
