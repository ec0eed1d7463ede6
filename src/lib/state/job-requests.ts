import type { ErrorBody, Job, jobRequestSchema, NearbyMachine } from "@rbee/contract";
import type { z } from "zod";
import { words } from "#lib/words/index.ts";

/** What starts a job, before defaults are filled in. */
export type JobInput = z.input<typeof jobRequestSchema>;

/** A refusal of the queen's, or that she could not be asked. */
export class RequestProblem extends Error {
  override readonly name = "RequestProblem";
  readonly code: string;
  readonly suggestion: string | undefined;
  readonly param: string | undefined;

  constructor(code: string, message: string, suggestion?: string, param?: string) {
    super(message);
    this.code = code;
    this.suggestion = suggestion;
    this.param = param;
  }
}

/** Asks the queen for something as the person who is signed in. @throws {RequestProblem} */
export async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new RequestProblem("queen_unreachable", words.frame.error.offline);
  }
  const answer = (await response.json().catch(() => null)) as unknown;
  if (response.ok) return answer;
  const error = (answer as Partial<ErrorBody> | null)?.error;
  if (error === undefined) throw new RequestProblem("internal_error", words.frame.error.offline);
  throw new RequestProblem(error.code, error.message, error.suggestion, error.param ?? undefined);
}

const pathOf = (jobId: string) => `/v1/jobs/${encodeURIComponent(jobId)}`;

/** Starts a job and gives it as it is then. @throws {RequestProblem} */
export async function startJob(request: JobInput): Promise<Job> {
  const { job_id } = (await ask("POST", "/v1/jobs", request)) as { job_id: string };
  return (await ask("GET", pathOf(job_id))) as Job;
}

/** Tells a job to stop. @throws {RequestProblem} */
export async function cancelJob(jobId: string): Promise<void> {
  await ask("DELETE", pathOf(jobId));
}

/** Machines that could join, as the queen's last look found them. @throws {RequestProblem} */
export async function nearbyMachines(): Promise<NearbyMachine[]> {
  return ((await ask("GET", "/v1/machines/nearby")) as { data: NearbyMachine[] }).data;
}
