import type { Writable } from "node:stream";
import pc from "picocolors";

type Colours = ReturnType<typeof pc.createColors>;

/** Where a command writes: answers to `out`, everything that is only for people to `narrate`. */
export interface Terminal {
  /** Colours for stdout; they do nothing when it is not a terminal or NO_COLOR is set. */
  readonly colours: Colours;
  readonly errorColours: Colours;
  /** Whether a person sits at stdin. */
  readonly interactive: boolean;
  /** Whether stdout is a terminal. */
  readonly isTty: boolean;
  /** Text as it is, to stdout. */
  write(text: string): void;
  /** A line, to stdout. */
  out(line: string): void;
  /** A line, to stderr. */
  error(line: string): void;
  /** One calm line on stderr: who, and what happened. */
  narrate(actor: string, message: string): void;
  /** Whether stderr is a terminal, so that lines there can change. */
  readonly lively: boolean;
  /** How many characters fit into a line of stderr. */
  readonly columns: number;
  /** Lines that stay below everything else on stderr until the next ones take their place. Nothing when it is no terminal. */
  live(lines: readonly string[]): void;
}

interface Streams {
  stdin: { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean; columns?: number };
  env: NodeJS.ProcessEnv;
}

const wantsColour = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv) =>
  stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";

/** A terminal over streams; `process` is one. */
export function createTerminal({ stdin, stdout, stderr, env }: Streams): Terminal {
  const errorColours = pc.createColors(wantsColour(stderr, env));
  let below: readonly string[] = [];
  const erase = () => {
    if (below.length > 0) stderr.write(`\u001B[${below.length}A\u001B[J`);
  };
  const draw = () => {
    if (below.length > 0) stderr.write(`${below.join("\n")}\n`);
  };
  /** Writes above the live lines, which would be torn apart otherwise. */
  const above = (stream: Writable, text: string) => {
    erase();
    stream.write(text);
    draw();
  };
  const line = (actor: string, text: string) => `${errorColours.dim(actor.padEnd(8))} ${text}\n`;
  return {
    colours: pc.createColors(wantsColour(stdout, env)),
    errorColours,
    interactive: stdin.isTTY === true,
    isTty: stdout.isTTY === true,
    lively: stderr.isTTY === true && env["TERM"] !== "dumb",
    get columns() {
      // A terminal that nobody has told its size has none.
      return stderr.columns === undefined || stderr.columns === 0 ? 80 : stderr.columns;
    },
    write: (text) => stdout.write(text),
    out: (text) => {
      above(stdout, `${text}\n`);
    },
    error: (text) => {
      above(stderr, `${text}\n`);
    },
    narrate: (actor, message) => {
      above(stderr, line(actor, message));
    },
    live(lines) {
      if (!this.lively) return;
      erase();
      below = lines;
      draw();
    },
  };
}
