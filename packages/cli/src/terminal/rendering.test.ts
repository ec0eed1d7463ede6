import { Writable } from "node:stream";
import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { number, seconds, wholeNumber } from "../arguments.ts";
import { queenUrl } from "../connection/connect.ts";
import { Failed, Interruption, showFailure, UsageError } from "../failure.ts";
import { pick } from "../pick.ts";
import { formatBytes, formatDuration, formatMoment } from "./format.ts";
import { table } from "./table.ts";
import { createTerminal } from "./terminal.ts";

function recorder(isTTY: boolean, env: NodeJS.ProcessEnv = {}) {
  const texts = { out: "", error: "" };
  const stream = (name: "out" | "error") =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          texts[name] += chunk.toString();
          done();
        },
      }),
      { isTTY },
    );
  return { texts, terminal: createTerminal({ stdin: {}, stdout: stream("out"), stderr: stream("error"), env }) };
}

describe("what a person reads", () => {
  it("a table aligns its columns and leaves no blanks at line ends", () => {
    const text = table(
      [
        { name: "a", count: 5 },
        { name: "longer", count: 1234 },
      ],
      [
        { title: "NAME", cell: ({ name }) => name },
        { title: "COUNT", cell: ({ count }) => String(count), align: "right" },
        { title: "NOTE", cell: ({ name }) => (name === "a" ? "first" : "") },
      ],
    );
    expect(text.split("\n")).toEqual(["NAME    COUNT  NOTE", "a           5  first", "longer   1234"]);
  });

  it("times, spans and sizes come in the largest sensible unit", () => {
    expect([formatDuration(900), formatDuration(61_000), formatDuration(90_000_000)]).toEqual([
      "900 ms",
      "1 min",
      "1 d",
    ]);
    expect([formatMoment(null, 0), formatMoment(0, 5_000), formatMoment(7_200_000, 0)]).toEqual([
      "–",
      "5 s ago",
      "in 2 h",
    ]);
    expect([formatBytes(3_400_000), formatBytes(12e9)]).toEqual(["3.4 MB", "12.0 GB"]);
  });

  it("narration is coloured on a terminal only, and never with NO_COLOR", () => {
    const narrated = (isTTY: boolean, env: NodeJS.ProcessEnv) => {
      const { terminal, texts } = recorder(isTTY, env);
      terminal.narrate("queen", "made a key");
      return texts.error;
    };
    expect(narrated(true, {})).toContain("\u001b[");
    expect(narrated(true, { NO_COLOR: "1" })).toBe("queen    made a key\n");
    expect(narrated(false, {})).toBe("queen    made a key\n");
  });
});

describe("a failure", () => {
  const shown = (thrown: unknown, json = false) => {
    const { terminal, texts } = recorder(false);
    return { exitCode: showFailure(thrown, terminal, json), ...texts };
  };

  it("is its message and what to do about it, without a stack", () => {
    const { exitCode, error, out } = shown(
      new RbeeError("hive_down", "gaming-pc stopped answering.", { suggestion: "Switch it on." }),
    );
    expect(exitCode).toBe(1);
    expect(error).toBe("error    gaming-pc stopped answering.\n         Switch it on.\n");
    expect(out).toBe("");
  });

  it("is the error's JSON on stdout with --json", () => {
    const { out, error } = shown(new RbeeError("forbidden", "No."), true);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "forbidden", message: "No." } });
    expect(error).toBe("");
  });

  it("has exit code 2 for wrong usage, 130 for an interruption, 1 for everything else", () => {
    const thrown = [new UsageError("?"), new Interruption("SIGINT"), new Failed(), new Error("boom")];
    expect(thrown.map((one) => shown(one).exitCode)).toEqual([2, 130, 1, 1]);
    expect(shown(new Error("boom")).error).not.toContain("    at ");
  });
});

describe("arguments", () => {
  it("times are written with a unit", () => {
    expect([seconds("90s"), seconds("15m"), seconds("12h"), seconds("30d")]).toEqual([90, 900, 43_200, 2_592_000]);
    expect(() => seconds("30")).toThrow("30d");
  });

  it("numbers stay within their bounds", () => {
    expect(() => wholeNumber(1, 100)("101")).toThrow("1 to 100");
    expect(() => wholeNumber(1)("1.5")).toThrow("at least 1");
    expect(() => number(0, 2)("hot")).toThrow("0 to 2");
    expect(number(0, 2)("0.7")).toBe(0.7);
  });

  it("a queen's address may leave its scheme out, and must be http", () => {
    expect(queenUrl("192.168.1.10:7833")).toBe("http://192.168.1.10:7833");
    expect(queenUrl("https://bees.home.arpa/")).toBe("https://bees.home.arpa");
    expect(() => queenUrl("ftp://x")).toThrow(UsageError);
  });

  it("a thing is named by its id, or by a name that only one has", () => {
    const names = { id: ({ id }: { id: string }) => id, name: ({ name }: { id: string; name: string }) => name };
    const entries = [
      { id: "1", name: "Ada" },
      { id: "2", name: "Bob" },
      { id: "3", name: "bob" },
    ];
    expect(pick(entries, "ada", "user", names).id).toBe("1");
    expect(pick(entries, "3", "user", names).id).toBe("3");
    expect(() => pick(entries, "bob", "user", names)).toThrow("2 users are called bob.");
    const workers = ["worker:a1b2c3", "worker:a1b2ff", "worker:77aa00"].map((id) => ({ id, name: "bee-tiny" }));
    expect(pick(workers, "77aa", "worker", names).id).toBe("worker:77aa00");
    expect(pick(workers, "worker:a1b2c", "worker", names).id).toBe("worker:a1b2c3");
    expect(() => pick(workers, "a1b2", "worker", names)).toThrow("The ids of 2 workers begin with a1b2.");
    expect(() => pick(workers, "77", "worker", names)).toThrow("There is no worker 77.");
    expect(() => pick(entries, "Eve", "user", names)).toThrow("There is no user Eve.");
  });
});
