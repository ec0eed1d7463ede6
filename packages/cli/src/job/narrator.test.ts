import { Writable } from "node:stream";
import { jobEventSchema } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { narration, result, stepEvent, type Told } from "../../test/jobs.ts";
import { createTerminal } from "../terminal/terminal.ts";
import { createNarrator } from "./narrator.ts";
import { progressBar, progressText } from "./progress.ts";

const escape = "\u001B";

/** What stands on a screen after this was written to it, as far as a narrator's control sequences go. */
function screen(written: string): string[] {
  let lines = [""];
  let row = 0;
  for (const part of written.split(new RegExp(`(${escape}\\[\\d+A|${escape}\\[J|\n)`, "u"))) {
    if (part === "\n") lines[++row] ??= "";
    else if (part === `${escape}[J`) lines = [...lines.slice(0, row), ""];
    else if (part.startsWith(escape)) row -= Number.parseInt(part.slice(2), 10);
    else lines[row] += part;
  }
  return lines.map((line) => line.trimEnd()).filter((line) => line !== "");
}

function narrating({ isTTY = false, columns = 80, verbose = false } = {}) {
  let written = "";
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const terminal = createTerminal({
    ...{ stdin: {}, stdout: new Writable(), env: { NO_COLOR: "1" } },
    stderr: Object.assign(stderr, { isTTY, columns }),
  });
  let at = 0;
  let seq = 0;
  const narrator = createNarrator({ terminal, verbose, now: () => at });
  return {
    /** Tells events this many milliseconds after the ones before. */
    tell(afterMs: number, ...events: Told[]) {
      at += afterMs;
      for (const event of events) {
        seq += 1;
        narrator.show(jobEventSchema.parse({ seq, ts: at, job_id: "job:1", ...event }));
      }
    },
    rest: narrator.rest,
    shown: () => screen(written),
  };
}

const bytes = (done: number): Told => ({
  ...{ type: "progress", actor: "queen", phase: "copying", done, total: 46e6, unit: "bytes", rate: 11.2e6 },
});
const detail = (message: string) => narration(message, { data: { step_path: ["preflight"] } });

describe("a job on a terminal", () => {
  it("a running step is one line that changes, with its newest word; a finished one has its words beneath", () => {
    const { tell, rest, shown } = narrating({ isTTY: true });
    tell(0, stepEvent("preflight", "started"));
    tell(800, detail("Debian GNU/Linux 12"), detail("16 threads"));
    expect(shown()).toEqual([expect.stringMatching(/^queen {4}. preflight +0\.8 s {2}Doing preflight · 16 threads$/u)]);
    tell(434, stepEvent("preflight", "finished"));
    rest();
    expect(shown()).toEqual([
      "queen    ✓ preflight          1.2 s  Doing preflight",
      `${" ".repeat(37)}Debian GNU/Linux 12`,
      `${" ".repeat(37)}16 threads`,
    ]);
  });

  it("bytes are a bar that fits into the line, and warnings come at once", () => {
    const { tell, rest, shown } = narrating({ isTTY: true, columns: 76 });
    tell(0, stepEvent("copying", "started"), bytes(0));
    tell(1_000, bytes(23e6), narration("The line is slow.", { level: "warn" }));
    const [warning, bar, ...more] = shown();
    expect(more).toEqual([]);
    expect(warning).toBe("queen    The line is slow.");
    expect(bar).toMatch(/copying +1\.0 s {2}━+╌+ {2}50 % {2}23\.0 of 46\.0 MB$/u);
    expect(bar?.length).toBeLessThan(76);
    rest();
  });

  it("steps of several machines run side by side, and a step that others are part of is not shown twice", () => {
    const { tell, rest, shown } = narrating({ isTTY: true });
    const on = (actor: string, ...path: string[]) => ({
      ...stepEvent(path.at(-1) ?? "", "started", { step_path: path }),
      actor,
    });
    tell(0, on("hive:attic", "install"), on("hive:attic", "install", "connect"), on("hive:gaming-pc", "connect"));
    expect(
      shown().map((line) =>
        line
          .split(/ +/u)
          .filter((_, index) => index !== 1)
          .slice(0, 2),
      ),
    ).toEqual([
      ["attic", "connect"],
      ["gaming-pc", "connect"],
    ]);
    rest();
    expect(shown()).toEqual([]);
  });

  it("what moved is taken away with the job's result", () => {
    const { tell, shown } = narrating({ isTTY: true });
    tell(0, stepEvent("preflight", "started"), result("cancelled"));
    expect(shown()).toEqual([]);
  });
});

describe("a job on a pipe", () => {
  it("progress is a line every five seconds at most", () => {
    const { tell, shown } = narrating();
    tell(0, stepEvent("copying", "started"), bytes(0));
    for (let done = 1; done <= 40; done++) tell(250, bytes(done * 1e6));
    expect(shown().slice(1)).toEqual([
      "queen    copying: 20.0 of 46.0 MB, 11.2 MB/s, 2 s left",
      "queen    copying: 40.0 of 46.0 MB, 11.2 MB/s, 1 s left",
    ]);
  });

  it("the last raw lines of a failed step are shown when its error carries none, unless all were", () => {
    const raw = (message: string) => narration(message, { level: "debug", data: { step_path: ["build"] } });
    for (const verbose of [false, true]) {
      const { tell, shown } = narrating({ verbose });
      tell(0, stepEvent("build", "started"));
      for (let line = 1; line <= 30; line++) tell(0, raw(`line ${line}.`));
      tell(0, stepEvent("build", "failed"));
      const lines = shown();
      expect(lines.filter((line) => line.includes("line 30."))).toHaveLength(1);
      expect(lines.some((line) => line.includes("line 1."))).toBe(verbose);
    }
  });
});

describe("progress in words", () => {
  const event = { seq: 1, ts: 1, job_id: "j", actor: "a", phase: "p", type: "progress" } as const;

  it("leaves out what is not known", () => {
    const unknown = { ...event, done: 3e6, total: null, unit: "bytes", rate: null } as const;
    expect(progressText(unknown)).toBe("3.0 MB");
    expect(progressBar(unknown, 40)).toBe("3.0 MB");
    expect(progressText({ ...event, done: 40.4, total: 100, unit: "percent", rate: null })).toBe("40 %");
  });

  it("a bar is never longer than its room, and full at the end", () => {
    const half = { ...event, done: 23e6, total: 46e6, unit: "bytes", rate: 11.2e6 } as const;
    for (let room = 16; room < 90; room++) expect([...progressBar(half, room)].length).toBeLessThanOrEqual(room);
    expect(progressBar({ ...half, done: 46e6 }, 90)).toMatch(/^━{24} 100 % {2}46\.0 of 46\.0 MB {2}11\.2 MB\/s$/u);
  });
});
