import { words } from "#lib/words/index.ts";
import { unknown } from "./quantities.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A span in its largest sensible unit: `420 ms`, `1.4 s`, `12 s`, `3 min`, `5 h`, `2 d`. Input in milliseconds. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return unknown;
  if (ms < 995) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9.95 * second) return `${(ms / second).toFixed(1)} s`;
  return span(ms);
}

/** The same without parts of a second, for distances to now. Input in milliseconds. */
export function span(ms: number): string {
  if (ms < minute) return `${Math.floor(ms / second)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < day) return `${Math.floor(ms / hour)} h`;
  return `${Math.floor(ms / day)} d`;
}

/** What is still to come is rounded, not cut: a link made for a week just now ends in 7 d, not in 6. */
function rounded(ms: number): string {
  const unit = ms >= day ? day : ms >= hour ? hour : ms >= minute ? minute : second;
  return span(Math.round(ms / unit) * unit);
}

/** How far `at` is from `now`, both Unix ms: `just now`, `12 s ago`, `in 3 d`. */
export function relative(at: number | null | undefined, now: number): string {
  if (at === null || at === undefined) return unknown;
  const distance = now - at;
  if (Math.abs(distance) < 3 * second) return words.frame.times.now;
  return distance > 0 ? words.frame.times.ago(span(distance)) : words.frame.times.in(rounded(-distance));
}

/** The exact time in the reader's own zone, for hovering. */
export function exact(at: number): string {
  return new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}
