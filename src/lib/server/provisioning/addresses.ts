import { describeTarget, type SshTarget } from "./ssh/index.ts";

/**
 * Tells machines apart, whatever they are called by: address and port of the SSH server, with the hosts on the way.
 * The account is left out, since two accounts of one machine would fight for the same hive port.
 */
export function addressKey(target: SshTarget): string {
  return [...target.jumps, target].map((hop) => describeTarget({ ...hop, user: "" }).toLowerCase()).join(" > ");
}
