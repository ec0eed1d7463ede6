import type { Job, JobEvent } from "@rbee/contract";
import { jobView, type JobView } from "./job-steps.ts";
import { JobStream } from "./job-stream.ts";

async function openStream(jobId: string, afterSeq: number, signal: AbortSignal) {
  const headers = { accept: "text/event-stream", "last-event-id": String(afterSeq) };
  const response = await fetch(`/v1/jobs/${encodeURIComponent(jobId)}/stream`, { headers, signal, cache: "no-store" });
  if ([401, 403, 404].includes(response.status)) return null;
  if (!response.ok || response.body === null) throw new Error(`the stream answered ${response.status}`);
  return response.body;
}

/** A job as its page shows it: what the page came with, then live until its result. */
export class JobFollow {
  job = $state.raw() as Job;
  view = $state.raw() as JobView;
  /** False while the connection to the queen is being found again. */
  live = $state(true);
  #events: JobEvent[];
  #frame: number | null = null;

  constructor(job: Job, events: readonly JobEvent[]) {
    this.job = job;
    this.#events = [...events];
    this.view = jobView(this.#events);
  }

  /** Takes an event of the stream; one that is known already changes nothing. */
  take(event: JobEvent): void {
    if (event.seq <= (this.#events.at(-1)?.seq ?? 0)) return;
    this.#events.push(event);
    if (event.type === "result") {
      this.#show();
      this.job = {
        ...this.job,
        state: event.status,
        finished_at: event.ts,
        error: event.error ?? null,
        result: event.data ?? null,
      };
      return;
    }
    // A log that is replayed at once is worked out once.
    this.#frame ??= requestAnimationFrame(() => {
      this.#show();
    });
  }

  #show(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.view = jobView(this.#events);
  }

  /** Follows the job in the browser until it is over. Gives the function that ends that. */
  follow(): () => void {
    if (this.job.state !== "running") return () => {};
    const stream = new JobStream(
      {
        open: (afterSeq, signal) => openStream(this.job.job_id, afterSeq, signal),
        now: () => Date.now(),
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => {
            clearTimeout(timer);
          };
        },
        event: (event) => {
          this.take(event);
        },
        live: (isLive) => {
          this.live = isLive;
        },
      },
      this.#events.at(-1)?.seq ?? 0,
    );
    const wake = () => {
      if (document.visibilityState === "visible") stream.hurry();
    };
    document.addEventListener("visibilitychange", wake);
    window.addEventListener("online", wake);
    stream.start();
    return () => {
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("online", wake);
      stream.stop();
      this.#show();
    };
  }
}
