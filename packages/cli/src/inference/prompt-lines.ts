import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Lines that come faster than this were pasted together. */
const pasteMs = 25;
const promptText = ">>> ";
const moreText = "... ";

/** A prompt at which a person types, as long as they like. */
export interface PromptLines {
  /**
   * The next thing that was typed, of one or several lines; null when they leave. Lines that were pasted belong
   * together, and so does what follows a line with a backslash at its end.
   */
  next(): Promise<string | null>;
  /** While this is set, Ctrl-C calls it instead of leaving, and what is typed does not show. */
  interrupt: (() => void) | undefined;
  close(): void;
}

/** Takes over the terminal: prompts go to stderr, so that stdout has nothing but answers. */
export function createPromptLines(): PromptLines {
  let isQuiet = true;
  const output = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (!isQuiet) process.stderr.write(chunk);
        done();
      },
    }),
    { columns: process.stderr.columns },
  );
  const resized = () => {
    output.columns = process.stderr.columns;
    output.emit("resize");
  };
  process.stderr.on("resize", resized);
  const lines = createInterface({ input: process.stdin, output, terminal: true, prompt: promptText });

  let typed: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const ready: string[] = [];
  let waiting: ((text: string | null) => void) | undefined;

  const show = (prompt: string) => {
    isQuiet = false;
    lines.setPrompt(prompt);
    lines.prompt(true);
  };
  const hand = (text: string | null) => {
    const take = waiting;
    waiting = undefined;
    if (take === undefined) {
      if (text !== null) ready.push(text);
      return;
    }
    isQuiet = true;
    take(text);
  };
  const settle = () => {
    // The last line of what was pasted waits for its Enter.
    if (lines.line !== "") return;
    const last = typed.at(-1) ?? "";
    if (last.endsWith("\\")) {
      typed[typed.length - 1] = last.slice(0, -1);
      if (waiting !== undefined) show(moreText);
      return;
    }
    const text = typed.join("\n");
    typed = [];
    hand(text);
  };
  const prompt: PromptLines = {
    interrupt: undefined,
    next() {
      const text = ready.shift();
      if (text !== undefined) return Promise.resolve(text);
      if (isOver) return Promise.resolve(null);
      const { promise, resolve } = Promise.withResolvers<string | null>();
      waiting = resolve;
      show(promptText);
      return promise;
    },
    close() {
      clearTimeout(timer);
      process.stderr.off("resize", resized);
      lines.close();
      process.stdin.pause();
    },
  };
  lines
    .on("line", (line) => {
      typed.push(line);
      clearTimeout(timer);
      timer = setTimeout(settle, pasteMs);
    })
    .on("SIGINT", () => {
      if (prompt.interrupt === undefined) lines.close();
      else prompt.interrupt();
    })
    .on("close", () => {
      if (!isOver && !isQuiet) process.stderr.write("\n");
      isOver = true;
      hand(null);
    });
  return prompt;
}
