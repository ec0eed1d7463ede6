import { errorBodySchema, timingsSchema, type Timings } from "@rbee/contract";
import * as z from "zod";

/** The token counts that usage is recorded from. */
export type TokenCounts = Pick<Timings, "cache_n" | "prompt_n" | "predicted_n">;

/** What a stream told about itself while it passed through. */
export interface Meter {
  /** Looks at the next bytes of the stream. */
  take(chunk: Uint8Array): void;
  readonly timings: Timings | null;
  /** What an answer without timings came to so far: the prompt as the worker told it, a token for each piece of text. */
  readonly counted: TokenCounts | null;
  /** Code of the error event that the stream ended with. */
  readonly errorCode: string | null;
  /** Whether `data: [DONE]` went by. */
  readonly done: boolean;
  /** Whether any text of an answer went by. */
  readonly answered: boolean;
}

const chunkSchema = z.object({ timings: timingsSchema });
const newline = 0x0a;
const quote = 0x22;
/** Longer than any line the meter must read; a longer one is let go unread. */
const longestLine = 1024 * 1024;

const timingsMark = Buffer.from('"timings":');
const errorMark = Buffer.from('data: {"error":');
const doneMark = Buffer.from("data: [DONE]");
const promptMark = Buffer.from(": prompt ");
/** What stands before the text of an answer: said, thought, or the arguments of a call; the last is of completions. */
const textMarks = ['"content":', '"reasoning_content":', '"arguments":', '"text":'].map((mark) => Buffer.from(mark));

/** Whether a line begins with the mark: inside a line it may be something that the model said. */
function hasLine(lines: Buffer, mark: Buffer): boolean {
  for (let at = lines.indexOf(mark); at !== -1; at = lines.indexOf(mark, at + 1))
    if (at === 0 || lines[at - 1] === newline) return true;
  return false;
}

function jsonOfLine(lines: Buffer, at: number): unknown {
  const start = lines.lastIndexOf(newline, at) + 1;
  const end = lines.indexOf(newline, at);
  const line = lines.toString("utf8", start, end === -1 ? lines.length : end).trim();
  try {
    return JSON.parse(line.startsWith("data:") ? line.slice("data:".length) : line);
  } catch {
    return undefined;
  }
}

/** How many pieces of text there are: each mark that is followed by a string which is not empty. */
function countText(lines: Buffer): number {
  let count = 0;
  for (const mark of textMarks)
    for (let at = lines.indexOf(mark); at !== -1; at = lines.indexOf(mark, at + 1)) {
      let next = at + mark.length;
      while (lines[next] === 0x20) next++;
      if (lines[next] === quote && lines[next + 1] !== quote) count++;
    }
  return count;
}

/** The comment with which a worker tells what reading the prompt took. */
function promptOf(lines: Buffer): { cache_n: number; prompt_n: number } | null {
  for (let at = lines.indexOf(promptMark); at !== -1; at = lines.indexOf(promptMark, at + 1)) {
    if (at !== 0 && lines[at - 1] !== newline) continue;
    const told = /^: prompt (\d{1,9})\+(\d{1,9})\n/u.exec(lines.toString("latin1", at, at + 40));
    if (told !== null) return { cache_n: Number(told[1]), prompt_n: Number(told[2]) };
  }
  return null;
}

/**
 * Meters a stream by looking for a few byte marks; only the line that holds the timings is ever parsed. Marks
 * with quotation marks cannot appear inside generated text, because JSON escapes those.
 */
export function createMeter(): Meter {
  let rest: Buffer | undefined;
  let timings: Timings | null = null;
  let errorCode: string | null = null;
  let done = false;
  let pieces = 0;
  let prompt: ReturnType<typeof promptOf> = null;

  const scan = (lines: Buffer) => {
    if (pieces === 0) prompt ??= promptOf(lines);
    pieces += countText(lines);
    const timingsAt = timings === null ? lines.indexOf(timingsMark) : -1;
    if (timingsAt !== -1) timings = chunkSchema.safeParse(jsonOfLine(lines, timingsAt)).data?.timings ?? null;
    const errorAt = lines.indexOf(errorMark);
    if (errorAt !== -1) errorCode = errorBodySchema.safeParse(jsonOfLine(lines, errorAt)).data?.error.code ?? null;
    done ||= hasLine(lines, doneMark);
  };

  return {
    take(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const end = bytes.lastIndexOf(newline);
      if (rest === undefined && end === bytes.length - 1) {
        scan(bytes);
        return;
      }
      // The relay's buffers may be used again for the next chunk: what is kept is copied.
      const all = rest === undefined ? bytes : Buffer.concat([rest, bytes]);
      const complete = all.lastIndexOf(newline) + 1;
      if (complete > 0) scan(all.subarray(0, complete));
      const open = all.subarray(complete);
      rest = open.length === 0 || open.length > longestLine ? undefined : Buffer.from(open);
    },
    get timings() {
      return timings;
    },
    get errorCode() {
      return errorCode;
    },
    get done() {
      return done;
    },
    get answered() {
      return pieces > 0;
    },
    get counted() {
      if (prompt === null && pieces === 0) return null;
      return { cache_n: prompt?.cache_n ?? 0, prompt_n: prompt?.prompt_n ?? 0, predicted_n: pieces };
    },
  };
}
