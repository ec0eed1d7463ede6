import { fileURLToPath } from "node:url";
import { loadConfig, parseCommandLine } from "../../packages/hive/src/config.ts";
import { explain, runHive } from "../../packages/hive/src/run.ts";

/** A whole hive as a process of its own, but for its workers: they have the fault that its last argument names. */
const worker = fileURLToPath(new URL("stand-in-worker.js", import.meta.url));
const fault = process.argv.at(-1) ?? "none";
const command = parseCommandLine(process.argv.slice(2, -1));
if (command.kind !== "run") throw new Error("this hive only runs");
runHive({ ...loadConfig(command.flags), workerCommand: [process.execPath, worker, fault] }).catch(explain);
