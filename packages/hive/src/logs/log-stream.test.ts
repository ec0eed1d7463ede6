import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { temporaryFolder } from "../testing/fixture.ts";
import { smallHive } from "../testing/small-hive.ts";
import { logStream } from "./log-stream.ts";

function logFile(text?: string): string {
  const path = join(temporaryFolder(), "hive.log");
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

/** Reads along until the test is over. */
function reader(stream: ReadableStream<Uint8Array>): { text(): string; has(part: string): Promise<boolean> } {
  let text = "";
  const decoder = new TextDecoder();
  const reading = stream.getReader();
  void (async () => {
    for (;;) {
      const { done, value } = await reading.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
    }
  })();
  onTestFinished(() => reading.cancel());
  return { text: () => text, has: (part) => eventually(`"${part}" in the log`, () => text.includes(part)) };
}

const whole = (path: string, lines: number) => new Response(logStream({ path, lines, follow: false })).text();

it("gives the last lines, those of the file before included", async () => {
  const path = logFile("three\nfour\n");
  writeFileSync(`${path}.1`, "one\ntwo\n");
  expect(await whole(path, 1)).toBe("four\n");
  expect(await whole(path, 3)).toBe("two\nthree\nfour\n");
  expect(await whole(path, 99)).toBe("one\ntwo\nthree\nfour\n");
  expect(await whole(join(path, "none"), 5)).toBe("");
});

it("follows what is written, each line once", async () => {
  const path = logFile("one\ntwo\n");
  const log = reader(logStream({ path, lines: 1, follow: true }));
  await log.has("two\n");
  for (let line = 3; line < 200; line += 1) appendFileSync(path, `line ${line}\n`);
  await log.has("line 199\n");
  const expected = Array.from({ length: 197 }, (_, index) => `line ${index + 3}\n`).join("");
  expect(log.text()).toBe(`two\n${expected}`);
});

it("follows across the turn of the file, losing nothing", async () => {
  const path = logFile("one\n");
  const log = reader(logStream({ path, lines: 5, follow: true }));
  await log.has("one\n");
  appendFileSync(path, "two\n");
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "three\n");
  writeFileSync(path, "four\n");
  await log.has("four\n");
  truncateSync(path, 0);
  appendFileSync(path, "5\n");
  await log.has("5\n");
  expect(log.text()).toBe("one\ntwo\nthree\nfour\n5\n");
});

it("waits for a file that is not there yet", async () => {
  const path = logFile();
  const log = reader(logStream({ path, lines: 5, follow: true }));
  writeFileSync(path, "first\n");
  await log.has("first\n");
  rmSync(path);
});

it("ends with its reader: a client that leaves a hive's log leaves nothing open there", async () => {
  const { client, home } = await smallHive();
  const path = join(home, "logs", "hive.log");
  writeFileSync(path, "one\n");
  const leaving = new AbortController();
  const response = await client.raw.logs({ query: { follow: "true" }, signal: leaving.signal });
  const reading = response.body?.getReader();
  expect(new TextDecoder().decode((await reading?.read())?.value)).toBe("one\n");
  const isOpen = async () => {
    const { readdirSync, readlinkSync } = await import("node:fs");
    return readdirSync("/proc/self/fd").some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false;
      }
    });
  };
  if (process.platform === "linux") expect(await isOpen()).toBe(true);
  const left = performance.now();
  leaving.abort();
  if (process.platform === "linux") await eventually("the file is closed", async () => !(await isOpen()));
  expect(performance.now() - left).toBeLessThan(1_000);
});

it("answers at once when there is nothing in the log yet", async () => {
  const { client } = await smallHive();
  const leaving = new AbortController();
  const response = await client.raw.logs({ query: { follow: "true" }, signal: leaving.signal, timeoutMs: 2_000 });
  expect(response.status).toBe(200);
  leaving.abort();
});
