import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { pick } from "../pick.ts";
import { workersOf } from "./list.ts";

/** Answers that still run may take this long to end. */
const drainMs = 30_000;

/** `rbee worker stop`. */
export function workerStop(parent: Command): void {
  verb(parent, "stop <worker>", {
    summary: "let a worker finish its answers, then stop it; named by its id or its model",
    examples: ["rbee worker stop bee-tiny"],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      const { client } = connect();
      const workers = workersOf((await client.fleet({ signal })).hives);
      const worker = pick(workers, wanted, "worker", { id: ({ worker_id }) => worker_id, name: ({ model }) => model });
      await client.stopWorker({
        params: { id: worker.hive_id, worker_id: worker.worker_id },
        signal,
        timeoutMs: drainMs + 10_000,
      });
      narrate(worker.hive, `stopped the worker of ${worker.model}`);
      answer({ stopped: { worker_id: worker.worker_id, hive_id: worker.hive_id, model: worker.model } }, () => "");
    }),
  );
}
