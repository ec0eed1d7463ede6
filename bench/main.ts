import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchEngine } from "./engine.ts";
import { benchHeartbeats } from "./heartbeats.ts";
import { machineLine, quietness } from "./machine.ts";
import { makeModel } from "./model/make.ts";
import { benchOverhead } from "./overhead.ts";
import { engineTable, heartbeatTable, overheadTable, writeIntoReadme } from "./report.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    threads: { type: "string", default: process.env["BENCH_THREADS"] ?? "1" },
    rounds: { type: "string", default: "5" },
    prompts: { type: "string", default: "20,150" },
    streams: { type: "string", default: "1,4,8" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(`npm run bench -- [--only engine|overhead|heartbeats] [--threads N] [--rounds N] [--prompts WORDS,WORDS] [--streams N,N] [--write]
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

if (wanted("engine")) {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "rbee-bench");
  mkdirSync(folder, { recursive: true });
  const modelPath = await makeModel(folder);
  const rows = await benchEngine({
    modelPath,
    ...(llamaServer === undefined ? {} : { llamaServer }),
    threads: Number(values.threads),
    streams: values.streams.split(",").map(Number),
    promptTokens: values.prompts.split(",").map(Number),
    rounds: Number(values.rounds),
    answerTokens: 48,
  });
  section(
    `Worker and llama.cpp's own server, the same 110 M model, ${values.threads} thread(s), interleaved`,
    engineTable(rows),
  );
}
if (wanted("overhead"))
  section(
    "What queen and hive add (bee-tiny)",
    overheadTable([await benchOverhead({ streams: 1 }), await benchOverhead({ streams: 32 })]),
  );
if (wanted("heartbeats")) section("Heartbeats", heartbeatTable(await benchHeartbeats()));

if (values.write) writeIntoReadme(sections.join("\n\n"));
