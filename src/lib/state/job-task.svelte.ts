import type { Job, JobEvent, SshAccess } from "@rbee/contract";
import { onMount } from "svelte";
import { RequestProblem } from "./ask-queen.ts";
import { JobFollow } from "./job-follow.svelte.ts";
import { cancelJob, startJob, type JobInput } from "./job-requests.ts";
import { questionOfJob, withAnswer, type SshQuestion } from "./ssh-question.ts";

export interface JobTaskOptions {
  /** A job that is there already. */
  initial?: { job: Job; events: readonly JobEvent[] } | null;
  /** Takes over when a job was started; by default the task shows it itself. */
  onStarted?: (job: Job) => void;
}

/**
 * One thing that a person wants done on a machine: the job that does it, and the next one when the first needs an
 * answer or is tried again. What was typed to sign in lives here and goes with the task.
 */
export class JobTask {
  follow = $state.raw<JobFollow | null>(null);
  /** Why a job could not even be started. */
  problem = $state.raw<RequestProblem | null>(null);
  starting = $state(false);
  readonly job: Job | null = $derived(this.follow?.job ?? null);
  readonly question: SshQuestion | null = $derived(this.job === null ? null : questionOfJob(this.job));
  readonly #onStarted: ((job: Job) => void) | undefined;
  #access: SshAccess = {};
  #unfollow = () => {};

  constructor({ initial = null, onStarted }: JobTaskOptions = {}) {
    this.#onStarted = onStarted;
    if (initial !== null) this.follow = new JobFollow(initial.job, initial.events);
  }

  /** Starts a job with what is known of signing in. Gives whether it runs; `problem` says why not. */
  async start(request: JobInput): Promise<boolean> {
    if (this.starting) return false;
    this.starting = true;
    this.problem = null;
    try {
      const job = await startJob(this.#withAccess(request));
      if (this.#onStarted === undefined) this.#show(job);
      else this.#onStarted(job);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof RequestProblem)) throw thrown;
      this.problem = thrown;
      return false;
    } finally {
      this.starting = false;
    }
  }

  /** Starts the same job again, with an answer to what it asked. */
  async again(answer: SshAccess = {}): Promise<boolean> {
    if (this.job === null) return false;
    this.#access = withAnswer(this.#access, answer);
    return this.start(this.job.input as unknown as JobInput);
  }

  /** Tells the job to stop. */
  async cancel(): Promise<void> {
    if (this.job === null) return;
    try {
      await cancelJob(this.job.job_id);
    } catch (thrown) {
      if (thrown instanceof RequestProblem) this.problem = thrown;
      else throw thrown;
    }
  }

  /** Forgets the job and everything that was typed for it. */
  clear(): void {
    this.stop();
    this.#access = {};
    this.follow = null;
    this.problem = null;
  }

  /** Follows the job while it is shown. */
  resume(): void {
    this.#unfollow();
    this.#unfollow = this.follow?.follow() ?? (() => {});
  }

  /** Stops following; the job goes on. */
  stop(): void {
    this.#unfollow();
    this.#unfollow = () => {};
  }

  #show(job: Job): void {
    this.follow = new JobFollow(job, []);
    this.resume();
  }

  #withAccess(request: JobInput): JobInput {
    if (Object.keys(this.#access).length === 0 || !takesAccess(request)) return request;
    return { ...request, ssh: this.#access };
  }
}

/** Whether a job of this kind signs in somewhere. */
function takesAccess(request: JobInput): request is Extract<JobInput, { ssh?: unknown }> {
  return request.operation.startsWith("hive_") && request.operation !== "hive_discover";
}

/** Makes the task of a component: followed while it is shown, forgotten with it. */
export function startJobTask(options: JobTaskOptions = {}): JobTask {
  const task = new JobTask(options);
  onMount(() => {
    task.resume();
    return () => {
      task.stop();
    };
  });
  return task;
}
