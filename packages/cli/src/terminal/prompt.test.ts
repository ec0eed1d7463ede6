import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { readAll } from "./prompt.ts";

describe("reading all of stdin", () => {
  it("puts together what comes until it ends", async () => {
    const stdin = new PassThrough();
    stdin.write("one\n");
    stdin.end("two\n");
    expect(await readAll(stdin, new AbortController().signal)).toBe("one\ntwo\n");
  });

  it("ends with an interruption, and lets go of a stdin that never ends", async () => {
    const stdin = new PassThrough();
    stdin.write("one\n");
    const interruption = new AbortController();
    const reading = readAll(stdin, interruption.signal);
    interruption.abort();
    await expect(reading).rejects.toThrow();
    expect(stdin.destroyed).toBe(true);
  });
});
