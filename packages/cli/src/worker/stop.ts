import type { Command } from "commander";
import { perform } from "../command.ts";
import { jobVerb, runJob, type JobOptions } from "../job/run.ts";
import { pick } from "../pick.ts";
import { workersOf } from "./list.ts";

/** `rbee worker stop`. */
export function workerStop(parent: Command): void {
  jobVerb(parent, "stop <worker>", {
    summary: "let a worker finish its answers, then stop it; named by its id or its model",
    examples: ["rbee worker stop bee-tiny"],
  }).action((wanted: string, options: JobOptions) =>
    perform(options, async (context) => {
      const connection = context.connect();
      const workers = workersOf((await connection.client.fleet({ signal: context.signal })).hives);
      const names = {
        id: ({ worker_id }: (typeof workers)[number]) => worker_id,
        name: ({ model }: (typeof workers)[number]) => model,
      };
      const { hive_id, worker_id } = pick(workers, wanted, "worker", names);
      await runJob(context, connection, { operation: "worker_stop", hive_id, worker_id }, options);
    }),
  );
}
