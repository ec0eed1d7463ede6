import { loadConfig } from "../config.ts";
import { explain, runHive } from "../run.ts";
import { simpleWorker } from "./simple-worker-path.ts";

/** A whole hive as a process of its own, but for the workers, which are stand-ins that live as its argument says. */
const [, , life = "good"] = process.argv;
runHive({ ...loadConfig({}), workerCommand: [process.execPath, simpleWorker, life] }).catch(explain);
