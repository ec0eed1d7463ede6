import { parseArgs } from "node:util";
import { parseInput, toRbeeError, workerProcessOptionsSchema, type WorkerProcessOptions } from "@rbee/contract";
import { pino } from "pino";
import packageJson from "../package.json" with { type: "json" };
import { runWorker } from "./worker.ts";

const usage = "usage: rbee-worker --options '<json>' | --version";

function stopWith(line: string, code: number): never {
  process.stderr.write(`rbee-worker: ${line}\n`);
  process.exit(code);
}

function readOptions(): WorkerProcessOptions {
  try {
    const { values } = parseArgs({ options: { options: { type: "string" }, version: { type: "boolean" } } });
    if (values.version === true) {
      process.stdout.write(`${packageJson.version}\n`);
      process.exit(0);
    }
    if (values.options === undefined) throw new Error(usage);
    return parseInput(workerProcessOptionsSchema, JSON.parse(values.options));
  } catch (error) {
    return stopWith(error instanceof Error ? error.message : usage, 2);
  }
}

const options = readOptions();
const log = pino({ name: "worker", base: { worker_id: options.worker_id, pid: process.pid } });
runWorker(options, packageJson.version, log).catch((error: unknown) => {
  log.error({ err: error }, "the worker could not start");
  stopWith(toRbeeError(error).message, 1);
});
