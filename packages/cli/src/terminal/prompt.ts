import { createInterface } from "node:readline";
import { addAbortSignal, Writable, type Readable } from "node:stream";

/** Everything that comes from a stream, as text; it rejects, and the stream is destroyed, when the signal aborts. */
export async function readAll(stdin: Readable, signal: AbortSignal): Promise<string> {
  addAbortSignal(signal, stdin);
  let text = "";
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) text += chunk.toString();
  return text;
}

/** The first line that comes from stdin; `echo` says whether a terminal shows what is typed. Empty when none comes. */
async function readLine(question: string, echo: boolean, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const interactive = process.stdin.isTTY;
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  // Without `terminal` the terminal itself echoes, and Ctrl-C stays a signal.
  const lines = createInterface({ input: process.stdin, output: silent, terminal: interactive && !echo });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const abort = () => {
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  // Only now, since a terminal shows what is typed before it was told not to.
  if (interactive) process.stderr.write(question);
  try {
    lines.once("line", resolve).once("close", () => {
      resolve("");
    });
    // In raw mode Ctrl-C arrives here instead of as a signal.
    lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    lines.close();
    process.stdin.pause();
    if (interactive && !echo) process.stderr.write("\n");
  }
}

/**
 * Asks for a secret without showing it; from a pipe it takes the first line.
 * @returns The secret, without surrounding blanks; empty when there was none.
 */
export async function readSecret(question: string, signal: AbortSignal): Promise<string> {
  return (await readLine(question, false, signal)).trim();
}

/** As `readSecret`, for passwords: blanks may be part of them. */
export async function readPassword(question: string, signal: AbortSignal): Promise<string> {
  return readLine(question, false, signal);
}

/** Asks a person something; the answer comes without surrounding blanks, empty when stdin ended. */
export async function ask(question: string, signal: AbortSignal): Promise<string> {
  return (await readLine(question, true, signal)).trim();
}
