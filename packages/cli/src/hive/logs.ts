import type { Command } from "commander";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { logOptions, showLog, type LogOptions } from "../terminal/log.ts";

type Options = CommonOptions & LogOptions;

function showHiveLog(context: Context, hive: string, options: Options): Promise<void> {
  const { lines, follow } = options;
  const open = ({ patient }: ReturnType<Context["connect"]>) =>
    patient.raw.hiveLogs({
      params: { id: hive },
      query: { lines, ...(follow === true ? { follow: "true" as const } : {}) },
      signal: context.signal,
      timeoutMs: 30_000,
    });
  return showLog(context, { of: { hive }, name: hive, open }, options);
}

/** `rbee hive logs`. */
export function hiveLogs(parent: Command): void {
  const command = verb(parent, "logs <hive>", {
    summary: "show what a hive logged, also when it does not run",
    examples: ["rbee hive logs gaming-pc", "rbee hive logs gaming-pc --follow"],
  });
  logOptions(command).action((hive: string, options: Options) =>
    perform(options, (context) => showHiveLog(context, hive, options)),
  );
}

/** `rbee logs`. */
export function logs(parent: Command): void {
  const command = verb(parent, "logs", {
    summary: "show what a hive logged",
    examples: ["rbee logs --node gaming-pc --follow"],
  }).requiredOption("--node <hive>", "which hive");
  logOptions(command).action((options: Options & { node: string }) =>
    perform(options, (context) => showHiveLog(context, options.node, options)),
  );
}
