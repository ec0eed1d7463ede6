import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchConversation } from "./conversation.ts";
import { benchEngine } from "./engine.ts";
import { benchHeartbeats } from "./heartbeats.ts";
import { benchIdle } from "./idle.ts";
import { machineLine, quietness } from "./machine.ts";
import { makeModel } from "./model/make.ts";
import { benchOverhead } from "./overhead.ts";
import {
  conversationTable,
  engineTable,
  heartbeatTable,
  idleTable,
  overheadTable,
  speculationTable,
  writeIntoReadme,
} from "./report.ts";
import { benchSpeculation } from "./speculation.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    threads: { type: "string", default: process.env["BENCH_THREADS"] ?? "1" },
    rounds: { type: "string", default: "3" },
    prompts: { type: "string", default: "20,150,1000" },
    streams: { type: "string", default: "1,2,4,8" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(`npm run bench -- [--only engine|conversation|speculation|overhead|heartbeats|idle] [--threads N] [--rounds N] [--prompts TOKENS,TOKENS] [--streams N,N] [--write]
LLAMA_SERVER=/path/to/llama-server adds llama.cpp's own server; --write puts the tables into README.md.`);
  process.exit(0);
}

const wanted = (name: string) => values.only === undefined || values.only.includes(name);
const { quiet, load } = quietness();
if (!quiet) console.error(`This machine is busy (load ${load.toFixed(2)}): the figures below measure that too.`);

const llamaServer = process.env["LLAMA_SERVER"];
if (llamaServer !== undefined && !existsSync(llamaServer)) {
  console.error(`LLAMA_SERVER names ${llamaServer}, which does not exist.`);
  process.exit(2);
}

const sections: string[] = [
  `\`npm run bench${["", ...process.argv.slice(2)].join(" ").replace(/^ /u, " -- ")}\` on: ${machineLine()}.`,
];
const section = (title: string, body: string) => {
  sections.push(`**${title}**\n\n${body}`);
  console.log(`\n${title}\n${body}`);
};

const threads = Number(values.threads);
const rounds = Number(values.rounds);
const server = llamaServer === undefined ? {} : { llamaServer };

const benchModel = (): Promise<string> => {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "rbee-bench");
  mkdirSync(folder, { recursive: true });
  return makeModel(folder);
};

if (wanted("engine"))
  section(
    `Worker and llama.cpp's own server, the same 110 M model, ${threads} thread(s), interleaved, nothing guessed`,
    engineTable(
      await benchEngine({
        ...server,
        modelPath: await benchModel(),
        threads,
        streams: values.streams.split(",").map(Number),
        promptTokens: values.prompts.split(",").map(Number),
        rounds,
        answerTokens: 48,
      }),
    ),
  );
if (wanted("conversation"))
  section(
    "What is read once: a second turn, and one system prompt of eight people (500 tokens, 110 M model)",
    conversationTable(await benchConversation({ ...server, modelPath: await benchModel(), threads, rounds })),
  );
if (wanted("speculation"))
  section(
    "Guessing what a text repeats, at best: random weights repeat themselves (110 M model, one answer at a time)",
    speculationTable(await benchSpeculation({ modelPath: await benchModel(), threads, rounds })),
  );
if (wanted("overhead")) {
  const modelPath = await benchModel();
  const results = [];
  for (const where of ["here", "elsewhere"] as const)
    for (const model of [{}, { modelPath }])
      for (const streams of [1, 32]) results.push(await benchOverhead({ streams, rounds, where, ...model }));
  section("What queen and hive add (bee-tiny, and the 110 M model)", overheadTable(results));
}
if (wanted("heartbeats")) section("Heartbeats", heartbeatTable(await benchHeartbeats()));

if (wanted("idle")) section("Memory of an idle household", idleTable(await benchIdle()));

if (values.write) await writeIntoReadme(sections.join("\n\n"));
