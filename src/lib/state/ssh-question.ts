import type { ErrorBody, Job, SshAccess } from "@rbee/contract";
import { outcomesOf } from "./job-results.ts";

type JobError = Pick<ErrorBody["error"], "code" | "message" | "suggestion" | "details">;

/** What a machine needs from a person before an attempt to reach it over SSH can succeed. */
export type SshQuestion =
  | { kind: "host_key"; host: string; address: string | null; fingerprint: string; keyType: string | null }
  | {
      kind: "changed";
      host: string;
      /** The host and port under which its key is kept, as `ssh-keygen -R` takes them. */
      entry: string;
      fingerprint: string;
      known: readonly string[];
      revoked: boolean;
    }
  | {
      kind: "secret";
      secret: "password" | "passphrase";
      host: string;
      user: string | null;
      /** The private key that is locked. */
      key: string | null;
      /** Whether one was given that did not fit. */
      wrong: boolean;
    };

const textOf = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** `host:port` as known_hosts names it: a port of its own stands behind brackets. */
function entryOf(address: string | null): string | null {
  const parts = /^\[?(.+?)\]?:(\d+)$/u.exec(address ?? "");
  if (parts === null) return null;
  return parts[2] === "22" ? (parts[1] ?? null) : `[${parts[1] ?? ""}]:${parts[2] ?? ""}`;
}

/** Reads from an error what a person has to answer; null when there is nothing that an answer would change. */
export function questionOf(error: JobError | null | undefined): SshQuestion | null {
  const details = error?.details;
  if (!error || details === undefined) return null;
  const host = textOf(details["host"]) ?? "";
  const fingerprint = textOf(details["fingerprint"]);
  if (error.code === "ssh_host_key_unknown" && fingerprint !== null)
    return {
      kind: "host_key",
      host,
      address: textOf(details["address"]),
      fingerprint,
      keyType: textOf(details["key_type"]),
    };
  if (error.code === "ssh_host_key_changed" && fingerprint !== null) {
    const known = details["known_fingerprints"];
    return {
      kind: "changed",
      host,
      entry: entryOf(textOf(details["address"])) ?? host,
      fingerprint,
      known: Array.isArray(known) ? known.filter((each) => typeof each === "string") : [],
      revoked: details["revoked"] === true,
    };
  }
  if (error.code !== "ssh_auth_failed" || details["needs"] === "key") return null;
  const key = textOf(details["key"]);
  // A secret that is an ordinary word is taken out of the details too: what is left must do.
  const isPassphrase = details["needs"] === "passphrase" || (details["needs"] !== "password" && key !== null);
  return {
    kind: "secret",
    secret: isPassphrase ? "passphrase" : "password",
    host,
    user: textOf(details["user"]),
    key,
    wrong: details["wrong"] !== false,
  };
}

/** What a job that is over asks; of several machines the first that asks. Null while it runs. */
export function questionOfJob(job: Pick<Job, "state" | "error" | "result">): SshQuestion | null {
  if (job.state === "running" || job.state === "succeeded") return null;
  const errors = [job.error, ...(outcomesOf(job) ?? []).map(({ error }) => error)];
  for (const error of errors) {
    const question = questionOf(error);
    if (question !== null) return question;
  }
  return null;
}

/** What is known so far with an answer added. A secret that did not fit is replaced, fingerprints gather. */
export function withAnswer(access: SshAccess, answer: SshAccess): SshAccess {
  const fingerprints = [...new Set([...(access.accept_fingerprints ?? []), ...(answer.accept_fingerprints ?? [])])];
  return { ...access, ...answer, ...(fingerprints.length === 0 ? {} : { accept_fingerprints: fingerprints }) };
}
