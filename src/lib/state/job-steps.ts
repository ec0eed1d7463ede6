import type { JobEvent, NarrationEvent, ProgressEvent } from "@rbee/contract";

export type StepState = "running" | "finished" | "failed" | "cancelled" | "timed_out";

/** One step of a job, as its narration tells of it. */
export interface JobStep {
  readonly key: number;
  readonly name: string;
  readonly actor: string;
  /** The names of the steps around, and its own. */
  readonly path: string;
  /** What is done, for a person. */
  readonly title: string;
  /** 0 for a step that is in no other. */
  readonly depth: number;
  readonly startedAt: number;
  state: StepState;
  /** Null while it runs. */
  durationMs: number | null;
  /** What was told inside it, without its own start and end. */
  readonly lines: NarrationEvent[];
  /** The newest of each phase. */
  readonly progress: Map<string, ProgressEvent>;
}

export interface JobView {
  readonly steps: readonly JobStep[];
  /** What was told outside every step. */
  readonly lines: readonly NarrationEvent[];
  /** Everything that was told. */
  readonly narration: readonly NarrationEvent[];
}

const ends: ReadonlySet<unknown> = new Set<StepState>(["finished", "failed", "cancelled", "timed_out"]);
/** About time limits and the like: part of the raw narration only. */
const bookkeeping: ReadonlySet<string> = new Set(["timeout_start"]);

const pathOf = (value: unknown): string => (Array.isArray(value) ? value.join("\n") : "");
const numberOf = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** Works out a job's steps from its events, in order. */
export function jobView(events: readonly JobEvent[]): JobView {
  const steps: JobStep[] = [];
  const lines: NarrationEvent[] = [];
  const narration: NarrationEvent[] = [];

  /** The step that speaks: the one it names, else the newest open one of the same actor, else the newest open one. */
  const speaking = (actor: string, path?: unknown): JobStep | undefined =>
    (path === undefined
      ? undefined
      : (steps.findLast((step) => step.actor === actor && step.path === pathOf(path)) ??
        steps.findLast((step) => step.path === pathOf(path)))) ??
    steps.findLast((step) => step.state === "running" && step.actor === actor) ??
    steps.findLast((step) => step.state === "running");

  const narrated = (event: NarrationEvent) => {
    narration.push(event);
    const { action, actor, data, message, ts } = event;
    const state = data?.["state"];
    if (state === "started") {
      const path = data?.["step_path"];
      steps.push({
        key: event.seq,
        name: action,
        actor,
        path: pathOf(path),
        title: message,
        depth: Array.isArray(path) ? Math.max(0, path.length - 1) : 0,
        startedAt: ts,
        state: "running",
        durationMs: null,
        lines: [],
        progress: new Map(),
      });
      return;
    }
    if (ends.has(state)) {
      const step = steps.findLast((open) => open.state === "running" && open.actor === actor && open.name === action);
      if (step !== undefined) {
        step.state = state as StepState;
        step.durationMs = numberOf(data?.["duration_ms"]);
        if (state !== "finished") step.lines.push(event);
        return;
      }
    }
    if (bookkeeping.has(action)) return;
    const step = speaking(actor, data?.["step_path"]);
    (step?.lines ?? lines).push(event);
  };

  for (const event of events) {
    if (event.type === "narration") narrated(event);
    else if (event.type === "progress") speaking(event.actor)?.progress.set(event.phase, event);
    else
      for (const step of steps)
        if (step.state === "running") {
          // The queen died in the middle of it: nobody told of its end.
          step.state = event.status === "succeeded" ? "finished" : event.status;
          step.durationMs = null;
        }
  }
  return { steps, lines, narration };
}

/** Milliseconds until a phase is over; null when that cannot be known. */
export function timeLeftMs({ done, total, rate }: ProgressEvent): number | null {
  if (total === null || rate === null || rate <= 0 || total <= done) return null;
  return ((total - done) / rate) * 1_000;
}

/** The step that went wrong: of steps inside one another the innermost, since the others fail with it. */
export function failedStepOf({ steps }: JobView): JobStep | null {
  const failed = steps.filter(({ state }) => state === "failed" || state === "timed_out");
  return failed.toSorted((one, other) => one.depth - other.depth || one.key - other.key).at(-1) ?? null;
}

/** What is being done now, for somebody who only listens; null when nothing runs. */
export function currentStepOf({ steps }: JobView): JobStep | null {
  return steps.findLast(({ state }) => state === "running") ?? null;
}
