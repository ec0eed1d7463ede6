import type { Beehive, PreflightReport } from "@rbee/contract";
import { installOn, rollBack, startManaged, stopManaged, uninstall } from "./installation/index.ts";
import { machineOf } from "./machine-of.ts";
import type { Parts } from "./parts.ts";
import { checkMachine } from "./preflight/index.ts";
import type { HiveOperations } from "./types.ts";

type Own = "check" | "install" | "upgrade" | "rollback" | "uninstall" | "start" | "stop";

/** What is done with one machine; each of them has the machine to itself, but for looking at it. */
export function createMachineOperations(parts: Parts): Pick<HiveOperations, Own> {
  const alone = <T>(what: string, reference: string, work: (beehive: Beehive) => Promise<T>): Promise<T> => {
    const beehive = machineOf(parts, reference);
    return parts.oneAtATime.run(beehive.target, what, () => work(beehive));
  };
  return {
    async check({ target, method, hive_port: port, ssh }): Promise<PreflightReport> {
      const machine = await parts.access.connect(target, ssh);
      const { report } = await checkMachine(parts, machine, { target, method, port, refuse: false });
      return report;
    },
    install: ({ target, method, hive_port: port, name, auto_start: autoStart, ssh }, signal) =>
      parts.oneAtATime.run(target, "an installation", () =>
        installOn(parts, { target, method, port, name, autoStart, ssh }, signal),
      ),
    upgrade: ({ hive, method, ssh }, signal) =>
      alone("an upgrade", hive, ({ name, target, hive_port: port, auto_start: autoStart, install_method }) =>
        installOn(parts, { target, method: method ?? install_method, port, name, autoStart, ssh }, signal),
      ),
    rollback: ({ hive, ssh }, signal) => alone("a rollback", hive, (beehive) => rollBack(parts, beehive, ssh, signal)),
    uninstall: ({ hive, ssh, remove_models: removeModels }) =>
      alone("an uninstallation", hive, (beehive) => uninstall(parts, beehive, { ssh, removeModels })),
    start: ({ hive, ssh }) => alone("a start", hive, (beehive) => startManaged(parts, beehive, ssh)),
    stop: ({ hive, ssh }) => alone("a stop", hive, (beehive) => stopManaged(parts, beehive, ssh)),
  };
}
