import { RbeeError, toRbeeError, type Beehive } from "@rbee/contract";
import type { HiveState } from "#lib/server/hives/index.ts";
import type { Parts } from "../parts.ts";
import type { Machines } from "../types.ts";
import { logOverSsh } from "./over-ssh.ts";

/** What says that the hive itself cannot tell, so that its machine is asked instead. */
const unreachable = new Set(["hive_unreachable", "hive_invalid_response", "not_found", "hive_down"]);

/** The log of a hive, from itself while it answers, else over SSH from its machine. */
export function createLogs(parts: Pick<Parts, "access" | "beehives" | "hives">): Machines["logs"] {
  return async (reference, query, signal) => {
    const { hive, machine } = meant(parts, reference);
    if (hive !== undefined && hive.health !== "down") {
      try {
        return await fromHive(parts, hive, query, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (machine === undefined || !unreachable.has(toRbeeError(error).code)) throw error;
      }
    }
    if (machine !== undefined) return logOverSsh(parts.access, machine, query, signal);
    if (hive === undefined) throw unknownHive(reference);
    throw new RbeeError("hive_down", `${hive.name} does not run, and the queen cannot reach its machine over SSH.`, {
      suggestion: "Read logs/hive.log in the hive's data folder there, or register the machine with `rbee hive add`.",
    });
  };
}

type Query = Parameters<Machines["logs"]>[1];

async function fromHive(
  { hives }: Pick<Parts, "hives">,
  hive: HiveState,
  { lines, follow }: Query,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const query = { lines, follow: follow ? "true" : "false" };
  const { body } = await hives.contact.client(hive).raw.logs({ query, signal });
  return body ?? new Blob([]).stream();
}

/** The hive and its machine by a hive's id or name, or by the name the machine is registered under. */
function meant(
  { beehives, hives }: Pick<Parts, "beehives" | "hives">,
  reference: string,
): { hive: HiveState | undefined; machine: Beehive | undefined } {
  const all = hives.registry.all();
  const named = beehives.find(reference);
  const hive =
    all.find(({ hiveId }) => hiveId === reference || hiveId === named?.hive_id) ??
    (named === undefined ? all.find(({ name }) => name === reference) : undefined);
  const machine = named ?? (hive === undefined ? undefined : beehives.findByHive(hive.hiveId));
  if (hive === undefined && machine === undefined) throw unknownHive(reference);
  return { hive, machine };
}

function unknownHive(reference: string): RbeeError {
  return new RbeeError("node_not_found", `No machine is called ${reference}.`, {
    suggestion: "`rbee hive list` shows the machines there are.",
  });
}
