import { describe, expect, it } from "vitest";
import { LogLines } from "./log-lines.ts";

const texts = (log: LogLines) => log.shown.map(({ text }) => text);

describe("a log that arrives in pieces", () => {
  it("shows whole lines, without the colours of a terminal", () => {
    const log = new LogLines();
    log.take("one\r\ntw");
    log.take("o\n\u001b[32mgreen\u001b[0m\nlast");
    expect(texts(log)).toEqual(["one", "two", "green"]);
    log.end();
    expect(texts(log)).toEqual(["one", "two", "green", "last"]);
  });

  it("stands still while it is held and loses nothing", () => {
    const log = new LogLines();
    log.take("one\n");
    log.hold();
    log.take("two\nthree\n");
    expect([texts(log), log.waiting]).toEqual([["one"], 2]);
    log.release();
    expect([texts(log), log.waiting]).toEqual([["one", "two", "three"], 0]);
  });

  it("keeps the newest five thousand lines, each with its own number", () => {
    const log = new LogLines();
    log.take("x\n".repeat(5_010));
    expect(log.shown).toHaveLength(5_000);
    expect(log.shown[0]?.number).toBe(11);
    log.clear();
    log.take("again\n");
    expect(log.shown).toEqual([{ number: 5_011, text: "again" }]);
  });
});
