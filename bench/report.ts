import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { projectRoot } from "../tests/support/process.ts";
import type { ConversationRow } from "./conversation.ts";
import type { EngineRow } from "./engine.ts";
import type { HeartbeatResult } from "./heartbeats.ts";
import type { IdleRow } from "./idle.ts";
import type { OverheadResult } from "./overhead.ts";
import type { SpeculationRow } from "./speculation.ts";

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const ratio = (ours: number, theirs: number): string => (ours / theirs).toFixed(2);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Worker against llama-server; ratios above 1 are better for tokens/s, below 1 for time to first token. */
export function engineTable(rows: readonly EngineRow[]): string {
  return table(
    [
      "prompt tokens",
      "streams",
      "worker tokens/s",
      "llama-server tokens/s",
      "ratio",
      "worker first token",
      "llama-server first token",
      "ratio",
      "worker CPU per token",
      "llama-server CPU per token",
      "ratio",
    ],
    rows.map(({ promptTokens, streams, worker, llamaServer }) => [
      String(promptTokens),
      String(streams),
      worker.tokensPerSecond.toFixed(0),
      llamaServer?.tokensPerSecond.toFixed(0) ?? "not measured",
      llamaServer === null ? "–" : ratio(worker.tokensPerSecond, llamaServer.tokensPerSecond),
      ms(worker.ttftMs),
      llamaServer === null ? "not measured" : ms(llamaServer.ttftMs),
      llamaServer === null ? "–" : ratio(worker.ttftMs, llamaServer.ttftMs),
      worker.cpuMsPerToken === null ? "unknown" : ms(worker.cpuMsPerToken),
      typeof llamaServer?.cpuMsPerToken === "number" ? ms(llamaServer.cpuMsPerToken) : "not measured",
      typeof llamaServer?.cpuMsPerToken === "number" && worker.cpuMsPerToken !== null
        ? ratio(worker.cpuMsPerToken, llamaServer.cpuMsPerToken)
        : "–",
    ]),
  );
}

/** What servers keep of what they have read; ratios below 1 are what was saved. */
export function conversationTable(rows: readonly ConversationRow[]): string {
  return table(
    [
      "server",
      "first token, first turn",
      "second turn",
      "ratio",
      "tokens of one person's prompt",
      "computed for eight at once",
      "ratio",
    ],
    rows.map(({ name, firstTurnMs, secondTurnMs, onePersonTokens, eightPeopleTokens }) => [
      name,
      ms(firstTurnMs),
      ms(secondTurnMs),
      ratio(secondTurnMs, firstTurnMs),
      onePersonTokens.toFixed(0),
      eightPeopleTokens.toFixed(0),
      ratio(eightPeopleTokens, onePersonTokens),
    ]),
  );
}

export function speculationTable(rows: readonly SpeculationRow[]): string {
  const off = rows.find(({ mode }) => mode === "off")?.tokensPerSecond ?? Number.NaN;
  return table(
    ["guessing", "tokens/s", "ratio", "tokens guessed right"],
    rows.map(({ mode, tokensPerSecond, guessedShare }) => [
      mode,
      tokensPerSecond.toFixed(0),
      ratio(tokensPerSecond, off),
      `${(100 * guessedShare).toFixed(0)} %`,
    ]),
  );
}

export function idleTable(rows: readonly IdleRow[]): string {
  return table(
    ["process", "resident memory"],
    rows.map(({ name, rssMb }) => [name, `${rssMb.toFixed(0)} MB`]),
  );
}

/** What each way adds to the worker's own socket; bare hops are what as many processes cost that only copy bytes. */
export function overheadTable(results: readonly OverheadResult[]): string {
  return table(
    ["model", "streams", "way", "first token (median / p99)", "added (median / p99)", "tokens/s kept"],
    results.flatMap(({ model, streams, where, direct, bareHops, through }) =>
      (
        [
          ["the worker's socket", direct],
          [where === "here" ? "a hop that only copies bytes" : "two hops that only copy bytes", bareHops],
          [where === "here" ? "queen" : "queen and another machine's hive", through],
        ] as const
      ).map(([name, way]) => [
        model,
        String(streams),
        name,
        `${ms(way.ttftMedianMs)} / ${ms(way.ttftP99Ms)}`,
        way === direct
          ? "–"
          : `${ms(way.ttftMedianMs - direct.ttftMedianMs)} / ${ms(way.ttftP99Ms - direct.ttftP99Ms)}`,
        way === direct ? "–" : `${(100 * (way.tokensPerSecond / direct.tokensPerSecond)).toFixed(1)} %`,
      ]),
    ),
  );
}

export function heartbeatTable({ hives, seconds, answered, failed, coreShare, p99Ms }: HeartbeatResult): string {
  return table(
    ["hives", "seconds", "answered", "failed", "queen's share of one core", "p99"],
    [
      [
        String(hives),
        String(seconds),
        String(answered),
        String(failed),
        `${(100 * coreShare).toFixed(0)} %`,
        ms(p99Ms),
      ],
    ],
  );
}

/** Replaces what stands between the markers of README.md, formatted as the rest. */
export async function writeIntoReadme(markdown: string): Promise<void> {
  const file = join(projectRoot, "README.md");
  const [start, end] = ["<!-- bench:start -->", "<!-- bench:end -->"];
  const readme = readFileSync(file, "utf8");
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${start} … ${end}`);
  const text = `${readme.slice(0, from + start.length)}\n\n${markdown.trim()}\n\n${readme.slice(to)}`;
  writeFileSync(file, await format(text, { ...(await resolveConfig(file)), parser: "markdown" }));
}
