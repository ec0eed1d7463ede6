import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";
import { meantWorker } from "./meant.ts";

/** `rbee worker stop`. */
export function workerStop(parent: Command): void {
  jobVerb(parent, "stop <worker>", {
    summary: "let a worker finish its answers, then stop it; named by its id, the beginning of it, or its model",
    examples: ["rbee worker stop bee-tiny", "rbee worker stop 5f0c"],
  }).action((wanted: string, options: JobOptions) =>
    perform(options, async (context) => {
      const connection = context.connect();
      const { hive_id, worker_id } = await meantWorker(connection.client, wanted, context.signal);
      await runJob(context, connection, { operation: "worker_stop", hive_id, worker_id }, options);
    }),
  );
}
