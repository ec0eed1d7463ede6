import type { ProgressEvent } from "@rbee/contract";
import type { Clock } from "./clock.ts";
import type { Draft, Progress, Scope } from "./context.ts";

/** At most one event of a phase in this time. */
const intervalMs = 250;
/** The rate is the mean over about this time. */
const windowMs = 5_000;

interface Phase {
  sentAt: number;
  sent: Progress;
  /** The newest one that was not sent, with the scope it came from. */
  held: { scope: Scope; progress: Progress } | undefined;
  /** Oldest first. */
  samples: { at: number; done: number }[];
}

/** Thins progress out without losing the last of a phase, and works out rates. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #emit: (scope: Scope, draft: Draft) => void;
  /** By actor and phase. */
  readonly #phases = new Map<string, Phase>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, emit: (scope: Scope, draft: Draft) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  report(scope: Scope, progress: Progress): void {
    const now = this.#clock.now();
    const key = `${scope.actor}\n${progress.phase}`;
    const phase = this.#phases.get(key);
    if (phase === undefined || progress.done < phase.sent.done) {
      this.flush();
      this.#phases.set(key, {
        sentAt: now,
        sent: progress,
        held: undefined,
        samples: [{ at: now, done: progress.done }],
      });
      this.#emit(scope, draftOf(scope.actor, progress, null));
      return;
    }
    if (phase.held === undefined && phase.sent.done === progress.done && phase.sent.total === progress.total) return;
    phase.held = { scope, progress };
    const complete = progress.total !== null && progress.done >= progress.total;
    if (complete || now - phase.sentAt >= intervalMs) this.#send(phase);
    else
      this.#cancelTimer ??= this.#clock.after(phase.sentAt + intervalMs - now, () => {
        this.flush();
      });
  }

  /** Sends all that is held back. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const phase of this.#phases.values()) this.#send(phase);
  }

  #send(phase: Phase): void {
    const { held } = phase;
    if (held === undefined) return;
    const now = this.#clock.now();
    phase.held = undefined;
    phase.sent = held.progress;
    phase.sentAt = now;
    phase.samples.push({ at: now, done: held.progress.done });
    while (phase.samples.length > 2 && now - (phase.samples[1]?.at ?? now) >= windowMs) phase.samples.shift();
    this.#emit(held.scope, draftOf(held.scope.actor, held.progress, rateOf(phase.samples)));
  }
}

/** Units per second between the oldest and the newest sample; null when no time lies between them. */
function rateOf(samples: readonly { at: number; done: number }[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) return null;
  return Math.round(((last.done - first.done) * 1_000_000) / (last.at - first.at)) / 1_000;
}

const known = (value: number): number => (Number.isFinite(value) ? Math.max(0, value) : 0);

function draftOf(actor: string, progress: Progress, rate: ProgressEvent["rate"]): Draft {
  const { phase, done, total, unit } = progress;
  const knownTotal = total === null || !Number.isFinite(total) ? null : Math.max(0, total);
  return { type: "progress", actor, phase, done: known(done), total: knownTotal, unit, rate };
}
