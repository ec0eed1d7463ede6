import { StringDecoder } from "node:string_decoder";

const longestNoise = 4_096;

/** One output stream of a remote command: drops what comes before the marker, then hands out lines as they end. */
export class OutputReader {
  readonly #marker: Buffer;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #mostKept: number;
  readonly #decoder = new StringDecoder("utf8");
  #noise = Buffer.alloc(0);
  #begun = false;
  #kept = "";
  #line = "";
  #truncated = false;

  /** @param mostKept how many characters `text` keeps: the last ones */
  constructor(marker: string, mostKept: number, onLine?: (line: string) => void) {
    this.#marker = Buffer.from(`${marker}\n`);
    this.#onLine = onLine;
    this.#mostKept = mostKept;
  }

  /** Whether the marker has been seen. */
  get begun(): boolean {
    return this.#begun;
  }
  /** What was written after the marker, or its end when it was too long. */
  get text(): string {
    return this.#kept;
  }
  /** Whether the beginning of `text` is missing. */
  get truncated(): boolean {
    return this.#truncated;
  }
  /** What was written before the marker, its end. */
  get noise(): string {
    return this.#noise.toString("utf8");
  }

  push(chunk: Buffer): void {
    if (this.#begun) {
      this.#take(this.#decoder.write(chunk));
      return;
    }
    const seen = Buffer.concat([this.#noise, chunk]);
    const place = seen.indexOf(this.#marker);
    if (place === -1) {
      this.#noise = seen.subarray(-longestNoise);
      return;
    }
    this.#begun = true;
    this.#noise = seen.subarray(0, place);
    this.#take(this.#decoder.write(seen.subarray(place + this.#marker.length)));
  }

  /** Hands out the last line when nothing ended it. */
  end(): void {
    if (this.#begun) this.#take(this.#decoder.end());
    if (this.#line !== "") this.#onLine?.(this.#line);
    this.#line = "";
  }

  /** The last lines that are not blank, at most `count`. */
  lastLines(count: number): string[] {
    return lastLines(this.#kept, count);
  }

  #take(text: string): void {
    this.#kept += text;
    if (this.#kept.length > this.#mostKept) {
      this.#kept = this.#kept.slice(-this.#mostKept);
      this.#truncated = true;
    }
    if (this.#onLine === undefined) return;
    // Programs that draw progress end their lines with a carriage return.
    const lines = (this.#line + text).split(/\r\n|\n|\r/);
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line);
  }
}

/** The last lines of a text that are not blank, at most `count`. */
export function lastLines(text: string, count: number): string[] {
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .slice(-count);
}
