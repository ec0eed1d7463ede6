import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";
import { sshOptions, withSshAccess, type SshOptions } from "../ssh/access.ts";
import { methodFrom, methodOptions, type MethodOptions } from "./method.ts";

/** The queen tries the connection before she answers. */
export const connectionTestMs = 60_000;

interface Options extends CommonOptions, SshOptions, MethodOptions {
  readonly name?: string;
  readonly port?: number;
  readonly autoStart: boolean;
}

/** `rbee hive add`. */
export function hiveAdd(parent: Command, name = "add"): void {
  const path = `rbee ${parent.name()}`;
  const command = verb(parent, `${name} <target>`, {
    summary: "remember a machine, after a test of the connection; nothing is installed yet",
    examples: [`${path} ${name} vince@192.168.1.20 --name gaming-pc`],
  })
    .option("--name <name>", "what it is called; the target's own name when left out")
    .option("--port <number>", "the hive's port; 7835 when left out", wholeNumber(1, 65_535))
    .option("--no-auto-start", "do not start the hive with the machine, nor with a sync");
  sshOptions(methodOptions(command)).action((target: string, options: Options) =>
    perform(options, async (context) => {
      const { client, local } = context.connect();
      const method = methodFrom(options, local);
      const machine = await withSshAccess(context, options, (access) =>
        client.addBeehive({
          body: {
            target,
            auto_start: options.autoStart,
            ...(options.name === undefined ? {} : { name: options.name }),
            ...(options.port === undefined ? {} : { hive_port: options.port }),
            ...(method === undefined ? {} : { install_method: method }),
            ...access,
          },
          signal: context.signal,
          timeoutMs: connectionTestMs,
        }),
      );
      context.narrate("queen", `knows ${machine.name} now (${machine.target})`);
      context.narrate("keeper", `\`${path} install ${machine.name}\` makes it a hive`);
      context.answer(machine, () => "");
    }),
  );
}
