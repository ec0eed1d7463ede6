import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { Failed } from "../failure.ts";
import { orDash } from "../terminal/format.ts";
import { meantWorker } from "./meant.ts";

/** `rbee worker health`: exit code 1 when something is wrong with it. */
export function workerHealth(parent: Command): void {
  verb(parent, "health <worker>", {
    summary: "ask a worker's process whether it answers; named by its id, the beginning of it, or its model",
    examples: ["rbee worker health bee-tiny", "rbee worker health worker:5f0c --json"],
  }).action((wanted: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer }) => {
      const { client } = connect();
      const { worker_id } = await meantWorker(client, wanted, signal);
      const check = await client.workerHealth({ params: { id: worker_id }, signal });
      const { worker, hive, answered_in_ms, problem } = check;
      answer(check, () =>
        [
          `${worker.worker_id} (${worker.model} on ${hive}, ${worker.device}) is ${worker.state}`,
          `${orDash(worker.slots_busy)} of ${orDash(worker.slots_total)} slots busy, ${orDash(worker.queued)} waiting`,
          ...(worker.restarts === 0 ? [] : [`started again ${worker.restarts} times after a crash`]),
          problem ?? `answers in ${orDash(answered_in_ms)} ms`,
        ].join("\n"),
      );
      if (problem !== null) throw new Failed();
    }),
  );
}
