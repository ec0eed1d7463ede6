import { RbeeError, type Beehive } from "@rbee/contract";
import type { Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";

/** The machines that the queen reaches over SSH; none for a person who may not see them. */
export async function registeredMachines(
  { client }: Connection,
  { signal }: Pick<Context, "signal">,
): Promise<Beehive[]> {
  try {
    return (await client.listBeehives({ signal })).data;
  } catch (error) {
    if (error instanceof RbeeError && error.code === "forbidden") return [];
    throw error;
  }
}

/** The registered machine of this name (compared without case), if there is one. */
export function machineNamed(machines: readonly Beehive[], wanted: string): Beehive | undefined {
  return machines.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
}
