import { isIP } from "node:net";
import { type Beehive, RbeeError } from "@rbee/contract";
import type { Parts } from "../parts.ts";
import { parseDestination } from "../ssh/index.ts";

/**
 * How a machine's hive will be called: as asked for, as it is known already, as it is addressed, or by its host name.
 * A name that another machine has gets a number.
 * @throws {RbeeError} `already_exists` when the name asked for belongs to another machine.
 */
export function nameFor(
  parts: Pick<Parts, "beehives" | "hives">,
  wanted: {
    name: string | undefined;
    target: string;
    known: Beehive | undefined;
    hiveId: string | null;
    hostname: string | null;
  },
): string {
  const { target, known, hiveId } = wanted;
  const enrolled = hiveId === null ? undefined : parts.hives.registry.find(hiveId);
  const isTaken = (name: string) =>
    parts.beehives
      .list()
      .some((other) => other.name === name && other.target !== target && other.hive_id !== (hiveId ?? "")) ||
    parts.hives.registry.all().some((other) => other.name === name && other.hiveId !== (hiveId ?? known?.hive_id));
  if (wanted.name !== undefined) {
    if (!isTaken(wanted.name)) return wanted.name;
    throw new RbeeError("already_exists", `Another machine of the household is called ${wanted.name}.`, {
      param: "name",
      suggestion: "Choose another name, or remove the other machine first.",
    });
  }
  const { host } = parseDestination(target);
  const own = known?.name ?? enrolled?.name ?? (isIP(host) === 0 ? host : (wanted.hostname ?? host));
  const base = own.slice(0, 60);
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!isTaken(name)) return name;
  }
}
