import type { Job, JobEvent } from "@rbee/contract";
import { onMount } from "svelte";
import { jobView, type JobView } from "./job-steps.ts";

const kinds = ["narration", "progress", "result"] as const;
const reopenAfterMs = 2_000;

/** A job as its page shows it: what the page came with, then live until its result. */
export class JobFollow {
  job = $state.raw() as Job;
  view = $state.raw() as JobView;
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
    if (event.type === "result")
      this.job = {
        ...this.job,
        state: event.status,
        finished_at: event.ts,
        error: event.error ?? null,
        result: event.data ?? null,
      };
    // A log that is replayed at once is worked out once.
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.view = jobView(this.#events);
    });
  }

  /** Follows the job in the browser until it is over. Gives the function that ends that. */
  follow(): () => void {
    if (this.job.state !== "running") return () => {};
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      // The browser goes on after the last event by itself, with Last-Event-ID.
      source = new EventSource(`/v1/jobs/${encodeURIComponent(this.job.job_id)}/stream`);
      for (const kind of kinds)
        source.addEventListener(kind, (message) => {
          this.take({ ...(JSON.parse(message.data as string) as object), type: kind } as JobEvent);
        });
      source.addEventListener("message", ({ data }) => {
        if (data === "[DONE]") close();
      });
      source.addEventListener("error", () => {
        // A refused connection is not tried again by the browser; the queen may just be starting.
        if (source?.readyState === EventSource.CLOSED && this.job.state === "running")
          timer = setTimeout(open, reopenAfterMs);
      });
    };
    const close = () => {
      clearTimeout(timer);
      source?.close();
      if (this.#frame !== null) cancelAnimationFrame(this.#frame);
      this.#frame = null;
      this.view = jobView(this.#events);
    };
    open();
    return close;
  }
}

/** Makes the follower of a page and follows while the page is shown. */
export function startJobFollow(job: Job, events: readonly JobEvent[]): JobFollow {
  const follow = new JobFollow(job, events);
  onMount(() => follow.follow());
  return follow;
}
