import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform } from "../command.ts";
import { jobVerb, runSshJob, type JobOptions } from "../job/run.ts";
import { sshOptions, type SshOptions } from "../ssh/access.ts";
import { methodFrom, methodOptions, type MethodOptions } from "./method.ts";
import { machineNamed, registeredMachines } from "./registered.ts";

/** Where and how an installation goes, as options. */
export interface InstallationOptions extends JobOptions, SshOptions, MethodOptions {
  readonly port?: number;
}

interface Options extends InstallationOptions {
  readonly name?: string;
  readonly autoStart: boolean;
}

/** `rbee hive install`: makes a machine a hive; the hive's id alone goes to stdout. */
export function hiveInstall(parent: Command, name = "install"): void {
  const path = `rbee ${parent.name()} ${name}`;
  const command = jobVerb(parent, `${name} <target>`, {
    summary: "make a machine a hive over SSH; again, to repair it or bring it up to date",
    examples: [
      `${path} vince@192.168.1.20 --name gaming-pc`,
      `${path} attic --method git --repo https://example.org/rbee.git --branch main`,
      `echo "$PASSWORD" | ${path} attic --password-stdin`,
    ],
  })
    .option("--name <name>", "what the hive is called; the target's own name when left out")
    .option("--port <number>", "the hive's port; 7835 when left out", wholeNumber(1, 65_535))
    .option("--no-auto-start", "do not start the hive with the machine");
  sshOptions(methodOptions(command))
    .option("--yes", "answer yes to questions; a host's key and secrets are asked for all the same")
    .action((target: string, options: Options) =>
      perform(options, async (context) => {
        const connection = context.connect();
        const method = methodFrom(options, connection.local);
        // A machine that was registered before is named as there.
        const known = machineNamed(await registeredMachines(connection, context), target);
        const called = options.name ?? known?.name;
        const result = await runSshJob(context, connection, options, (access) => ({
          operation: "hive_install",
          target: known?.target ?? target,
          method: method ?? known?.install_method ?? { bundle: {} },
          hive_port: options.port ?? known?.hive_port ?? 7835,
          auto_start: options.autoStart && (known?.auto_start ?? true),
          ...(called === undefined ? {} : { name: called }),
          ...access,
        }));
        const id = result?.data?.["hive_id"];
        if (!context.json && typeof id === "string") context.terminal.out(id);
      }),
    );
}
