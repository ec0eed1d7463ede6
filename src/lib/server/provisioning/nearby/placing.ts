import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { toRbeeError } from "@rbee/contract";
import { plainAddress } from "#lib/server/network/index.ts";
import type { MachineAccess } from "../access.ts";
import type { Candidate, Place } from "./candidates.ts";

const lookupLimitMs = 5_000;
/** Looking names up takes threads that the disk needs, too; asking `ssh` takes a process each. */
const atOnce = 3;

/** Finds out where every candidate is, a few at a time. */
export async function placed(
  candidates: readonly Candidate[],
  resolve: MachineAccess["resolve"],
): Promise<{ candidate: Candidate; place: Place }[]> {
  const addresses = new Map<string, Promise<string | null>>();
  const addressOf = (host: string) => {
    const known = addresses.get(host) ?? lookUp(host);
    addresses.set(host, known);
    return known;
  };
  const placeOf = async ({ target }: Candidate): Promise<Place> => {
    try {
      const { host, jumps } = await resolve(target);
      const [first] = jumps;
      if (first !== undefined) return { kind: "behind", host, through: jumps.map(({ name }) => name).join(", ") };
      const ip = await addressOf(host);
      if (ip !== null) return { kind: "address", host, ip };
      return { kind: "nowhere", host, problem: "No address is known for its name." };
    } catch (error) {
      return { kind: "nowhere", host: null, problem: toRbeeError(error).message };
    }
  };

  const results: { candidate: Candidate; place: Place }[] = [];
  const waiting = candidates.values();
  const work = async () => {
    for (const candidate of waiting) results.push({ candidate, place: await placeOf(candidate) });
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

async function lookUp(host: string): Promise<string | null> {
  if (isIP(host) !== 0) return plainAddress(host);
  const tooLate = delay(lookupLimitMs, null, { ref: false });
  const found = lookup(host).then(
    ({ address }) => plainAddress(address),
    () => null,
  );
  return Promise.race([found, tooLate]);
}
