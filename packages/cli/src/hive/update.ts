import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";
import { UsageError } from "../failure.ts";
import { sshOptions, withSshAccess, type SshOptions } from "../ssh/access.ts";
import { connectionTestMs } from "./add.ts";
import { methodFrom, methodOptions, type MethodOptions } from "./method.ts";

interface Options extends CommonOptions, SshOptions, MethodOptions {
  readonly rename?: string;
  readonly target?: string;
  readonly port?: number;
  readonly autoStart?: boolean;
}

/** `rbee hive update`. */
export function hiveUpdate(parent: Command): void {
  const command = verb(parent, "update <name>", {
    summary: "change what is known of a machine; a new target is tested first",
    examples: ["rbee hive update gaming-pc --target vince@192.168.1.21", "rbee hive update gaming-pc --rename attic"],
  })
    .option("--rename <name>", "what it is called from now on")
    .option("--target <target>", "where it is, as for ssh")
    .option("--port <number>", "the hive's port", wholeNumber(1, 65_535))
    .option("--auto-start", "start the hive with the machine, and with a sync")
    .option("--no-auto-start", "do not");
  sshOptions(methodOptions(command)).action((name: string, options: Options) =>
    perform(options, async (context) => {
      const { client, local } = context.connect();
      const method = methodFrom(options, local);
      const changes = {
        ...(options.rename === undefined ? {} : { new_name: options.rename }),
        ...(options.target === undefined ? {} : { target: options.target }),
        ...(options.port === undefined ? {} : { hive_port: options.port }),
        ...(options.autoStart === undefined ? {} : { auto_start: options.autoStart }),
        ...(method === undefined ? {} : { install_method: method }),
      };
      if (Object.keys(changes).length === 0)
        throw new UsageError("Nothing to change was named.", "`rbee hive update --help` lists what can change.");
      const machine = await withSshAccess(context, options, (access) =>
        client.updateBeehive({
          body: { name, ...changes, ...access },
          signal: context.signal,
          timeoutMs: connectionTestMs,
        }),
      );
      context.narrate("queen", `keeps the change of ${machine.name}`);
      context.answer(machine, () => "");
    }),
  );
}
