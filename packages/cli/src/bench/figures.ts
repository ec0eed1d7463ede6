import type { Timings } from "@rbee/contract";

/** One answer as the command saw it. Times are milliseconds of one clock that never jumps. */
export interface Sample {
  readonly startedAt: number;
  /** When the first piece of the answer came; null when there was none. */
  readonly firstAt: number | null;
  readonly endedAt: number;
  readonly workerId: string;
  /** What its worker measured; null when it told nothing. */
  readonly timings: Timings | null;
}

/** The middle of some numbers, the mean of both middle ones where they are even; null of none. */
export function median(numbers: readonly number[]): number | null {
  const sorted = numbers.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
}

/** Milliseconds from asking to the first piece of the answer; null when none came. */
export const timeToFirstToken = ({ startedAt, firstAt }: Sample): number | null =>
  firstAt === null ? null : firstAt - startedAt;

/**
 * Tokens of a prompt that were read in a second, by the worker's own clock; null when it told nothing, or took most of
 * the prompt from what it had read before.
 */
export function prefillSpeed({ timings }: Pick<Sample, "timings">): number | null {
  if (timings === null || timings.prompt_n < 2 || timings.prompt_ms <= 0 || timings.cache_n > timings.prompt_n)
    return null;
  return (timings.prompt_n / timings.prompt_ms) * 1_000;
}

/** Fewer tokens than these say nothing about a speed. */
const fewestTokens = 6;
/** Answers that were written beside one another for less than this share of their time were not written together. */
const leastOverlap = 0.5;

export interface DecodeSpeed {
  /** Tokens a second of all answers together. */
  readonly together: number;
  /** Tokens a second of one of them, the median. */
  readonly each: number;
}

/**
 * How fast answers that were asked for at the same moment were written; null when one of them is missing or too short,
 * when they were not written at the same time, or when different workers wrote them.
 */
export function decodeSpeed(samples: readonly Sample[]): DecodeSpeed | null {
  const speeds: number[] = [];
  for (const { timings, firstAt } of samples) {
    if (timings === null || firstAt === null || timings.predicted_n < fewestTokens || timings.predicted_ms <= 0)
      return null;
    speeds.push(timings.predicted_per_second);
  }
  const each = median(speeds);
  if (each === null || new Set(samples.map(({ workerId }) => workerId)).size > 1) return null;
  const begins = samples.map(({ firstAt }) => firstAt ?? 0);
  const ends = samples.map(({ endedAt }) => endedAt);
  const all = Math.max(...ends) - Math.min(...begins);
  const shared = Math.min(...ends) - Math.max(...begins);
  if (samples.length > 1 && shared < all * leastOverlap) return null;
  return { together: speeds.reduce((sum, speed) => sum + speed, 0), each };
}

/** How long a prompt may be so that it is read in a few seconds and leaves room in the context, in tokens. */
export function promptLength(
  { wanted, seconds }: { wanted: number; seconds: number },
  { speed, contextLength }: { speed: number | null; contextLength: number | null },
): number {
  const readable = speed === null ? wanted : speed * seconds;
  const room = contextLength === null ? wanted : contextLength / 2;
  return Math.max(16, Math.floor(Math.min(wanted, readable, room)));
}
