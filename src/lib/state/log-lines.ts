/** More than anybody scrolls through; the oldest go first. */
const keep = 5_000;

export interface LogLine {
  /** Counts up over everything that ever came. */
  readonly number: number;
  readonly text: string;
  /** How much it matters, where the line says so. */
  readonly level: "warn" | "error" | null;
}

// Colours and cursor movements of a terminal.
// eslint-disable-next-line no-control-regex -- they begin with a control character
const escapes = /\u001b\[[0-9;?]*[A-Za-z]/gu;

const clock = (at: number) => new Date(at).toLocaleTimeString("en-GB");
const told: ReadonlySet<string> = new Set(["time", "level", "msg", "pid", "hostname"]);

/** A line of a log that is written as JSON, as a person reads it; every other line as it is. */
function readable(line: string): Pick<LogLine, "text" | "level"> {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { text: line, level: null };
  }
  const { time, level, msg } = entry;
  if (typeof time !== "number" || typeof level !== "number" || typeof msg !== "string")
    return { text: line, level: null };
  const rest = Object.entries(entry).flatMap(([name, value]) =>
    told.has(name) ? [] : [`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`],
  );
  return {
    text: [clock(time), msg, ...rest].join("  "),
    level: level >= 50 ? "error" : level >= 40 ? "warn" : null,
  };
}

/** Text that arrives in pieces, as lines. Holding it keeps what is shown still; what comes meanwhile waits. */
export class LogLines {
  #shown: LogLine[] = [];
  #waiting: LogLine[] = [];
  #partial = "";
  #count = 0;
  #held = false;

  get shown(): readonly LogLine[] {
    return this.#shown;
  }

  /** How many lines came while it was held. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes the next piece of text, which may end in the middle of a line. */
  take(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    const fresh = lines.map((line) => ({
      number: ++this.#count,
      ...readable(line.replace(/\r$/u, "").replaceAll(escapes, "")),
    }));
    if (this.#held) this.#waiting = [...this.#waiting, ...fresh].slice(-keep);
    else this.#shown = [...this.#shown, ...fresh].slice(-keep);
  }

  /** Nothing more comes: what began stands as a line of its own. */
  end(): void {
    if (this.#partial !== "") this.take("\n");
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#shown = [...this.#shown, ...this.#waiting].slice(-keep);
    this.#waiting = [];
  }

  /** A new reading of the same log follows. */
  clear(): void {
    this.#shown = [];
    this.#waiting = [];
    this.#partial = "";
  }
}
