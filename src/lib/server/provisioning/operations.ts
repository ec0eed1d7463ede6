import type { PreflightReport } from "@rbee/contract";
import { installOn } from "./installation/install.ts";
import type { Parts } from "./parts.ts";
import { checkMachine } from "./preflight/index.ts";
import type { HiveOperations, InstalledHive } from "./types.ts";

type Input<Name extends keyof HiveOperations> = Parameters<HiveOperations[Name]>[0];

/** Says what stands in the way of an installation. @throws {RbeeError} as connecting and looking do */
export async function check(parts: Parts, input: Input<"check">): Promise<PreflightReport> {
  const { target, method, hive_port: port, ssh } = input;
  const machine = await parts.access.connect(target, ssh);
  const { report } = await checkMachine(parts, machine, { target, method, port, refuse: false });
  return report;
}

/** Makes a machine a hive. @throws {RbeeError} as `installOn` does; `already_exists` while it is busy. */
export function install(parts: Parts, input: Input<"install">, signal: AbortSignal): Promise<InstalledHive> {
  const { target, method, hive_port: port, name, auto_start: autoStart, ssh } = input;
  return parts.oneAtATime.run(target, "an installation", () =>
    installOn(parts, { target, method, port, name, autoStart, ssh }, signal),
  );
}
