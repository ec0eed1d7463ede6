import type { Queue } from "@rbee/contract";
import { onMount } from "svelte";
import { askQueen, RequestProblem } from "./ask-queen.ts";

const lookEveryMs = 1_000;

/** The queue while somebody looks at it. */
export class QueueWatch {
  queue = $state.raw() as Queue;
  /** The figures are old: the queen did not answer the last time. */
  stale = $state(false);

  constructor(initial: Queue) {
    this.queue = initial;
  }

  /** Looks again and again until the answer is called; not while the page is hidden. */
  start(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const look = async () => {
      if (document.visibilityState === "visible") await this.look();
      if (!stopped) timer = setTimeout(() => void look(), lookEveryMs);
    };
    timer = setTimeout(() => void look(), lookEveryMs);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  /** Looks now. */
  async look(): Promise<void> {
    try {
      this.queue = (await askQueen("GET", "/v1/queue")) as Queue;
      this.stale = false;
    } catch (thrown) {
      if (!(thrown instanceof RequestProblem)) throw thrown;
      this.stale = true;
    }
  }

  /** Ends a request. @throws {RequestProblem} */
  async cancel(requestId: string): Promise<void> {
    await askQueen("DELETE", `/v1/inference/${encodeURIComponent(requestId)}`);
    await this.look();
  }
}

/** Makes the watch of a component, which looks while that is shown. */
export function watchQueue(initial: Queue): QueueWatch {
  const watch = new QueueWatch(initial);
  onMount(() => watch.start());
  return watch;
}
