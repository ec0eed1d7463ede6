import { describe, expect, it } from "vitest";
import { lastWords } from "./local-hive.ts";

describe("why the local hive ended", () => {
  it("is the error's own line in what Node wrote when it died", () => {
    const stderr = [
      "file:///opt/rbee/packages/hive/dist/main.js:12",
      "    throw new TypeError('x is not a function');",
      "          ^",
      "",
      "TypeError: x is not a function",
      "    at Object.<anonymous> (file:///opt/rbee/packages/hive/dist/main.js:12:11)",
      "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5) {",
      "  code: 'ERR'",
      "}",
      "",
      "Node.js v26.3.0",
      "",
    ].join("\n");
    expect(lastWords(stderr)).toBe("TypeError: x is not a function");
  });

  it("is the hive's own sentence when it gave one, and the last line otherwise", () => {
    expect(lastWords("rbee-hive: Port 7835 is taken by another program.\n")).toBe(
      "rbee-hive: Port 7835 is taken by another program.",
    );
    expect(lastWords("first\nsecond\n\nNode.js v26.3.0\n")).toBe("second");
    expect(lastWords("")).toBe("");
  });
});
