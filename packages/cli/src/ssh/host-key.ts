import type { ErrorBody } from "@rbee/contract";

/** What an error says about the key that a host showed. */
export interface ShownKey {
  /** As a person called the host. */
  readonly host: string;
  readonly address: string;
  readonly fingerprint: string;
  readonly keyType: string;
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** The key that an error is about; undefined when it does not say. */
export function shownKey(details: Record<string, unknown> | undefined): ShownKey | undefined {
  const fingerprint = text(details?.["fingerprint"]);
  if (fingerprint === undefined) return undefined;
  const address = text(details?.["address"]) ?? "an unknown address";
  return {
    host: text(details?.["host"]) ?? address,
    address,
    fingerprint,
    keyType: text(details?.["key_type"]) ?? "unknown type",
  };
}

/** The command that shows, on the machine itself, the fingerprint to compare with. */
export function compareCommand(keyType: string): string {
  const kind = /^(?:ssh-)?(ed25519|rsa|ecdsa|dss)/u.exec(keyType)?.[1];
  return `ssh-keygen -lf /etc/ssh/ssh_host_${kind === "dss" ? "dsa" : (kind ?? "*")}_key.pub`;
}

/** What stands beneath the message that a host's key has changed: both fingerprints, and how to find out which is right. */
export function hostKeyLines({ code, details }: ErrorBody["error"]): string[] {
  if (code !== "ssh_host_key_changed") return [];
  const shown = shownKey(details);
  if (shown === undefined) return [];
  const known = text(details?.["known_fingerprint"]);
  return [
    ...(known === undefined ? [] : [`known   ${known}`]),
    `shown   ${shown.fingerprint} (${shown.keyType})`,
    `On the machine itself, this shows its real key:  ${compareCommand(shown.keyType)}`,
  ];
}
