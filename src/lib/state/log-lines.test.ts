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

  it("reads entries that are JSON, and leaves other lines alone", () => {
    const log = new LogLines();
    log.take('{"level":40,"time":1700000000000,"pid":1,"msg":"the queen is away","missed":10}\n{"level":"x"}\n');
    expect(log.shown).toMatchObject([
      { text: expect.stringMatching(/^\d\d:\d\d:\d\d {2}the queen is away {2}missed=10$/u) as string, level: "warn" },
      { text: '{"level":"x"}', level: null },
    ]);
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
    expect(log.shown).toEqual([{ number: 5_011, text: "again", level: null }]);
  });
});
