import type { ProgressEvent } from "@rbee/contract";
import { Format } from "cli-progress";
import { formatBytes, formatDuration } from "../terminal/format.ts";

const narrowestBar = 8;
const widestBar = 24;

function wordsOf({ done, total, unit, rate }: ProgressEvent): string[] {
  if (unit === "percent") return [];
  const amount = (value: number) => (unit === "bytes" ? formatBytes(value) : String(Math.round(value)));
  const whole = total === null ? undefined : amount(total);
  // The unit need not stand there twice.
  const suffix = whole === undefined ? "" : whole.replace(/^[\d.]+/u, "");
  const words = [whole === undefined ? amount(done) : `${withoutEnd(amount(done), suffix)} of ${whole}`];
  if (rate !== null && rate > 0) {
    words.push(`${unit === "bytes" ? formatBytes(rate) : rate.toFixed(rate < 10 ? 1 : 0)}/s`);
    if (total !== null && total > done)
      words.push(`${formatDuration(Math.max(1, (total - done) / rate) * 1_000)} left`);
  }
  return words;
}

const withoutEnd = (text: string, end: string) =>
  end !== "" && text.endsWith(end) ? text.slice(0, -end.length) : text;

/** How far a phase is, in words; what is not known is left out. */
export function progressText(event: ProgressEvent): string {
  return event.unit === "percent" ? `${Math.round(event.done)} %` : wordsOf(event).join(", ");
}

/** How much of a phase is done, from 0 to 1; undefined while its total is not known. */
function share({ done, total, unit }: ProgressEvent): number | undefined {
  const whole = unit === "percent" ? 100 : total;
  return whole === null || whole <= 0 ? undefined : Math.min(1, Math.max(0, done / whole));
}

/** A bar, its percentage and as many words as fit into so many characters; only words while the total is not known. */
export function progressBar(event: ProgressEvent, room: number): string {
  const part = share(event);
  if (part === undefined) return progressText(event);
  let rest = `${String(Math.floor(part * 100)).padStart(4)} %`;
  for (const word of wordsOf(event))
    if (narrowestBar + rest.length + 2 + word.length <= room) rest += `  ${word}`;
    else break;
  const barsize = Math.min(widestBar, Math.max(narrowestBar, room - rest.length));
  const bar = Format.BarFormat(part, {
    barsize,
    barGlue: "",
    barCompleteString: "━".repeat(barsize),
    barIncompleteString: "╌".repeat(barsize),
  });
  return `${bar}${rest}`;
}
