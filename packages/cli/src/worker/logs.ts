import { workerIdSchema } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { UsageError } from "../failure.ts";
import { logOptions, showLog, type LogOptions } from "../terminal/log.ts";
import { meantWorker } from "./meant.ts";

/** A worker that has ended is in no list, but its whole id names its log. */
async function idOf({ connect, signal }: Context, wanted: string): Promise<string> {
  try {
    return (await meantWorker(connect().client, wanted, signal)).worker_id;
  } catch (error) {
    if (error instanceof UsageError && workerIdSchema.safeParse(wanted).success) return wanted;
    throw error;
  }
}

/** `rbee worker logs`. */
export function workerLogs(parent: Command): void {
  const command = verb(parent, "logs <worker>", {
    summary: "show what a worker wrote, also one that has ended (by its whole id)",
    examples: ["rbee worker logs bee-tiny --follow", "rbee worker logs worker:5f0c12ab34cd --lines 50"],
  });
  logOptions(command).action((wanted: string, options: CommonOptions & LogOptions) =>
    perform(options, async (context) => {
      const id = await idOf(context, wanted);
      const { lines, follow } = options;
      const open = ({ patient }: ReturnType<Context["connect"]>) =>
        patient.raw.workerLogs({
          params: { id },
          query: { lines, ...(follow === true ? { follow: "true" as const } : {}) },
          signal: context.signal,
          timeoutMs: 30_000,
        });
      await showLog(context, { of: { worker: id }, name: wanted, open }, options);
    }),
  );
}
