import type { RbeeError, Timings } from "@rbee/contract";
import type {
  Generation,
  GenerationRequest,
  Listener,
  Progress,
  PromptTokens,
  Scheduler,
  TextOrigin,
} from "../scheduler/index.ts";

/** Why a choice's text ended. */
export interface GenerationEnd {
  readonly reason: "stop" | "length";
  /** The stop string that ended it. */
  readonly stop: string | null;
}

/** Who waits for the choices of one request. After `end` with timings, or `fail`, nothing comes. */
export interface ChoiceListener {
  text(choice: number, text: string, origin: TextOrigin): void;
  /** A choice is complete; the last one to be so brings the timings of all. */
  end(choice: number, ended: GenerationEnd, timings: Timings | null): void;
  fail(error: RbeeError): void;
}

const perSecond = (count: number, ms: number) => (ms <= 0 ? 0 : (count * 1000) / ms);

/** The timings of several choices of one prompt, or of several prompts, as one. */
export function combined(all: readonly Timings[], prompts: number): Timings {
  const [first] = all;
  if (first !== undefined && all.length === 1) return first;
  const sum = (of: (timings: Timings) => number) => all.reduce((total, timings) => total + of(timings), 0);
  const most = (of: (timings: Timings) => number) =>
    all.reduce((highest, timings) => Math.max(highest, of(timings)), 0);
  // Each prompt counts once; what its further choices computed of it counts as cached work that nobody is charged for.
  const choices = Math.max(1, all.length / prompts);
  const firsts = all.filter((_, index) => index % choices === 0);
  const [cached, computed] = [
    firsts.reduce((total, { cache_n }) => total + cache_n, 0),
    firsts.reduce((total, { prompt_n }) => total + prompt_n, 0),
  ];
  const [promptMs, predicted, predictedMs] = [
    most((t) => t.prompt_ms),
    sum((t) => t.predicted_n),
    most((t) => t.predicted_ms),
  ];
  return {
    cache_n: cached,
    prompt_n: computed,
    prompt_ms: promptMs,
    prompt_per_second: perSecond(computed, promptMs),
    predicted_n: predicted,
    predicted_ms: predictedMs,
    predicted_per_second: perSecond(predicted, predictedMs),
    ...drafts(all),
    queue_ms: Math.min(...all.map((timings) => timings.queue_ms ?? 0)),
  };
}

/** Guessed tokens of all choices together; nothing where none of them was guessed at. */
function drafts(all: readonly Timings[]): Pick<Timings, "draft_n" | "draft_n_accepted"> {
  const guessed = all.filter(({ draft_n }) => draft_n !== undefined);
  if (guessed.length === 0) return {};
  const sum = (of: (timings: Timings) => number | undefined) =>
    guessed.reduce((total, timings) => total + (of(timings) ?? 0), 0);
  return { draft_n: sum((t) => t.draft_n), draft_n_accepted: sum((t) => t.draft_n_accepted) };
}

/**
 * Has several answers computed for one request: as many at once as there are slots, the others after them. The first
 * failure ends them all.
 */
export class ChoiceGroup {
  readonly #scheduler: Scheduler;
  readonly #requests: readonly GenerationRequest[];
  readonly #listener: ChoiceListener;
  readonly #prompts: number;
  readonly #running = new Map<number, Generation>();
  readonly #timings: Timings[] = [];
  #first: Generation | null = null;
  #next = 0;
  #ended = 0;
  #over = false;

  /**
   * `prompts` is how many different prompts the requests have, one after the other. The listener hears nothing before
   * this turn of the event loop is over.
   * @throws {RbeeError} `worker_busy` when not even the first request is taken.
   */
  constructor(scheduler: Scheduler, requests: readonly GenerationRequest[], listener: ChoiceListener, prompts = 1) {
    this.#scheduler = scheduler;
    this.#requests = requests;
    this.#listener = listener;
    this.#prompts = prompts;
    this.#fill(false);
  }

  get promptTokens(): PromptTokens {
    return this.#first?.promptTokens ?? { cached: 0, computed: 0 };
  }

  /** Where its first unfinished choice is. */
  get progress(): Progress {
    for (const generation of this.#running.values()) return generation.progress;
    return { phase: "queued" };
  }

  /** Stops working on all choices. The listener hears nothing more. */
  cancel(): void {
    this.#over = true;
    for (const generation of this.#running.values()) this.#scheduler.cancel(generation);
    this.#running.clear();
  }

  /** `continued` when one of ours just ended: the next one takes its place, however busy the worker is. */
  #fill(continued: boolean): void {
    const most = this.#scheduler.load().slotsTotal;
    let takesPlace = continued;
    while (!this.#over && this.#next < this.#requests.length && this.#running.size < most) {
      try {
        this.#submit(this.#next, takesPlace);
        this.#next++;
        takesPlace = false;
      } catch (error) {
        // Others fill the queue: the next one is tried again when one of ours is done.
        if (this.#running.size > 0) return;
        this.cancel();
        throw error;
      }
    }
  }

  #submit(choice: number, continued: boolean): void {
    const request = this.#requests[choice];
    if (request === undefined) return;
    const listener: Listener = {
      text: (text, origin) => {
        if (!this.#over) this.#listener.text(choice, text, origin);
      },
      end: ({ reason, stop, timings }) => {
        if (!this.#over) this.#end(choice, { reason, stop }, timings);
      },
      fail: (error) => {
        this.#fail(error);
      },
    };
    const generation = this.#scheduler.submit(request, listener, { continued });
    this.#first ??= generation;
    if (!this.#over) this.#running.set(choice, generation);
  }

  #end(choice: number, ended: GenerationEnd, timings: Timings): void {
    this.#running.delete(choice);
    this.#timings[choice] = timings;
    this.#ended++;
    const last = this.#ended === this.#requests.length;
    this.#listener.end(choice, ended, last ? combined(this.#timings, this.#prompts) : null);
    if (!last) this.#fill(true);
  }

  #fail(error: RbeeError): void {
    if (this.#over) return;
    this.cancel();
    // The scheduler may fail a request while it is still being handed over.
    queueMicrotask(() => {
      this.#listener.fail(error);
    });
  }
}
