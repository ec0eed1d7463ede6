import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Everything on stdin, as text. */
export async function readAll(stdin: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const chunk of stdin) text += chunk.toString();
  return text;
}

/**
 * Asks for a secret without showing it; from a pipe it takes the first line.
 * @returns The secret, without surrounding blanks; empty when there was none.
 */
export async function readSecret(question: string, signal: AbortSignal): Promise<string> {
  const interactive = process.stdin.isTTY;
  if (interactive) process.stderr.write(question);
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: interactive });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once("line", (line) => {
        resolve(line.trim());
      });
      lines.once("close", () => {
        resolve("");
      });
      // In raw mode Ctrl-C arrives here instead of as a signal.
      lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
      signal.addEventListener("abort", () => {
        reject(signal.reason as Error);
      });
    });
  } finally {
    lines.close();
    process.stdin.pause();
    if (interactive) process.stderr.write("\n");
  }
}
