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
  /** How far something is, on stderr: one line that the next one takes the place of. Nothing when it is no terminal. */
  progress(actor: string, text: string): void;
}

interface Streams {
  stdin: { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  env: NodeJS.ProcessEnv;
}

const wantsColour = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv) =>
  stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";

/** A terminal over streams; `process` is one. */
export function createTerminal({ stdin, stdout, stderr, env }: Streams): Terminal {
  const errorColours = pc.createColors(wantsColour(stderr, env));
  let passing = false;
  const toErrors = (text: string, stays: boolean) => {
    stderr.write(`${passing ? "\r\u001B[K" : ""}${text}${stays ? "\n" : ""}`);
    passing = !stays;
  };
  const line = (actor: string, text: string) => `${errorColours.dim(actor.padEnd(8))} ${text}`;
  return {
    colours: pc.createColors(wantsColour(stdout, env)),
    errorColours,
    interactive: stdin.isTTY === true,
    isTty: stdout.isTTY === true,
    write: (text) => stdout.write(text),
    out: (line) => stdout.write(`${line}\n`),
    error: (text) => {
      toErrors(text, true);
    },
    narrate: (actor, message) => {
      toErrors(line(actor, message), true);
    },
    progress: (actor, text) => {
      if (stderr.isTTY === true) toErrors(line(actor, text), false);
    },
  };
}
