import { RbeeError, type Beehive } from "@rbee/contract";
import type { Parts } from "./parts.ts";

/**
 * The machine that a person means by a hive's id, a hive's name, or the name the machine is registered under.
 * @throws {RbeeError} `node_not_found`; `invalid_request` for a hive that the queen does not reach over SSH.
 */
export function machineOf({ beehives, hives }: Pick<Parts, "beehives" | "hives">, reference: string): Beehive {
  const hive = hives.registry.all().find(({ hiveId, name }) => hiveId === reference || name === reference);
  const machine =
    beehives.find(reference) ??
    (hive === undefined ? undefined : beehives.findByHive(hive.hiveId)) ??
    beehives.findByTarget(reference);
  if (machine !== undefined) return machine;
  if (hive === undefined)
    throw new RbeeError("node_not_found", `No machine is called ${reference}.`, {
      suggestion: "`rbee hive list` shows the machines there are.",
    });
  const why =
    hive.enrolment === "local"
      ? "is the queen's own machine"
      : "joined by itself, so the queen cannot reach it over SSH";
  throw new RbeeError("invalid_request", `${hive.name} ${why}.`, {
    param: "hive",
    suggestion:
      hive.enrolment === "local"
        ? "It starts and stops with the queen, and is upgraded with her."
        : "Install or adopt it with its SSH address to have the queen manage it.",
  });
}
