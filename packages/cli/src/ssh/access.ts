import { RbeeError, sshAccessSchema, type SshAccess } from "@rbee/contract";
import { InvalidArgumentError, type Command } from "commander";
import type { Context } from "../command.ts";
import { Failed, UsageError } from "../failure.ts";
import { ask, readPassword } from "../terminal/prompt.ts";
import { compareCommand, shownKey } from "./host-key.ts";

/** What a person may say beforehand about signing in. Secrets never stand on the command line. */
export interface SshOptions {
  readonly acceptFingerprint?: readonly string[];
  readonly askPassword?: boolean;
  readonly askPassphrase?: boolean;
  readonly passwordStdin?: boolean;
  readonly passphraseStdin?: boolean;
}

type Secret = "password" | "passphrase";
type AccessContext = Pick<Context, "terminal" | "signal" | "json">;

const askedAtMost = 3;

function fingerprint(text: string, before: readonly string[] = []): string[] {
  const all = [...before, text.startsWith("SHA256:") ? text : `SHA256:${text}`];
  if (!sshAccessSchema.safeParse({ accept_fingerprints: all }).success)
    throw new InvalidArgumentError("It looks like SHA256: and 43 more characters.");
  return all;
}

/** Adds the options for signing in over SSH. */
export function sshOptions(command: Command): Command {
  return command
    .option("--accept-fingerprint <SHA256:…>", "trust a host that shows this key; may be repeated", fingerprint)
    .option("--ask-password", "ask for the password before it begins")
    .option("--ask-passphrase", "ask for the passphrase of the private key before it begins")
    .option("--password-stdin", "read the password from the first line of stdin")
    .option("--passphrase-stdin", "read the passphrase from the first line of stdin");
}

/**
 * Does something that signs in over SSH. When that fails for want of a host key that a person accepts, a password or a
 * passphrase, and a person sits at the terminal, they are asked and it is done again.
 * @throws {UsageError} when the options contradict each other; what `attempt` throws, with the option that helps in its
 *   suggestion when nobody can be asked.
 */
export async function withSshAccess<T>(
  context: AccessContext,
  options: SshOptions,
  attempt: (access: { ssh?: SshAccess }) => Promise<T>,
): Promise<T> {
  let access = await accessFrom(options, context);
  for (let asked = 0; ;) {
    try {
      return await attempt(Object.keys(access).length === 0 ? {} : { ssh: access });
    } catch (thrown) {
      const error: unknown = thrown instanceof Failed ? thrown.cause : thrown;
      if (!(error instanceof RbeeError)) throw thrown;
      const more = await answerTo(error, access, { context, asked });
      if (more === undefined) throw thrown instanceof Failed ? thrown : withHint(error, context);
      if (more.accept_fingerprints === undefined) asked += 1;
      access = { ...access, ...more };
    }
  }
}

async function accessFrom(options: SshOptions, { signal, terminal }: AccessContext): Promise<SshAccess> {
  const { passwordStdin, passphraseStdin, askPassword, askPassphrase, acceptFingerprint } = options;
  if (passwordStdin === true && passphraseStdin === true)
    throw new UsageError("Only one secret can come from stdin.", "Leave out --password-stdin or --passphrase-stdin.");
  const secret = async (what: Secret, fromStdin = false, asking = false): Promise<SshAccess> => {
    if (!fromStdin && !asking) return {};
    if (!fromStdin && !canAsk({ terminal }))
      throw new UsageError(`--ask-${what} needs a terminal.`, `Use --${what}-stdin instead.`);
    const given = await readPassword(what === "password" ? "SSH password: " : "Passphrase of the key: ", signal);
    if (given === "") throw new UsageError(`No ${what} was given.`);
    return { [what]: given };
  };
  return {
    ...(await secret("password", passwordStdin, askPassword)),
    ...(await secret("passphrase", passphraseStdin, askPassphrase)),
    ...(acceptFingerprint === undefined ? {} : { accept_fingerprints: [...acceptFingerprint] }),
  };
}

/** Somebody sees the question and can answer it. */
export const canAsk = ({ terminal }: Pick<AccessContext, "terminal">) => terminal.interactive && terminal.lively;

/** What a person says so that the next attempt may succeed; undefined when there is nothing to ask, or nobody. */
async function answerTo(
  { code, details = {} }: RbeeError,
  access: SshAccess,
  { context, asked }: { context: AccessContext; asked: number },
): Promise<SshAccess | undefined> {
  if (!canAsk(context)) return undefined;
  if (code === "ssh_host_key_unknown") {
    const fingerprints = access.accept_fingerprints ?? [];
    const accepted = await askForKey(details, context);
    return accepted === undefined || fingerprints.includes(accepted)
      ? undefined
      : { accept_fingerprints: [...fingerprints, accepted] };
  }
  const needs = details["needs"];
  if (code !== "ssh_auth_failed" || (needs !== "password" && needs !== "passphrase") || asked >= askedAtMost)
    return undefined;
  return askForSecret(needs, details, context);
}

/** @throws {RbeeError} `ssh_host_key_unknown` when the person does not accept it. */
async function askForKey(
  details: Record<string, unknown>,
  { terminal, signal }: AccessContext,
): Promise<string | undefined> {
  const key = shownKey(details);
  if (key === undefined) return undefined;
  const colour = terminal.errorColours;
  terminal.error("");
  terminal.error(`${colour.bold(key.host)} (${key.address}) is not known yet. It shows this key:`);
  terminal.error("");
  terminal.error(`    ${colour.bold(key.fingerprint)}  (${key.keyType})`);
  terminal.error("");
  terminal.error("Compare it with the one that the machine itself shows:");
  terminal.error(`    ${compareCommand(key.keyType)}`);
  terminal.error("");
  for (;;) {
    const answer = await ask("Are they the same? Type yes, no, or the fingerprint: ", signal);
    if (/^y(?:es)?$/iu.test(answer) || answer === key.fingerprint) return key.fingerprint;
    if (answer === "" || /^no?$/iu.test(answer))
      throw new RbeeError("ssh_host_key_unknown", `The key of ${key.host} was not accepted. Nothing was done there.`, {
        details,
      });
    if (answer.startsWith("SHA256:"))
      throw new RbeeError(
        "ssh_host_key_unknown",
        `${key.host} shows another key than the one you gave. Nothing was done there.`,
        { details, suggestion: "Check that the address is right, and that nobody poses as this machine." },
      );
  }
}

async function askForSecret(
  needs: Secret,
  details: Record<string, unknown>,
  { terminal, signal }: AccessContext,
): Promise<SshAccess | undefined> {
  const word = (name: string) => (typeof details[name] === "string" ? details[name] : undefined);
  const where = `${word("user") ?? "you"} on ${word("host") ?? "that machine"}`;
  if (details["wrong"] === true) terminal.error(`That ${needs} was not the right one.`);
  const question = needs === "password" ? `Password of ${where}: ` : `Passphrase of ${word("key") ?? "the key"}: `;
  const given = await readPassword(question, signal);
  return given === "" ? undefined : { [needs]: given };
}

/** The error with the option that answers it as its suggestion, for when nobody can be asked. */
export function withHint(error: RbeeError, context: Pick<AccessContext, "terminal">): RbeeError {
  const hint = canAsk(context) ? undefined : hintFor(error);
  if (hint === undefined) return error;
  const { code, message, details, param, cause } = error;
  return new RbeeError(code, message, { details, param, cause, suggestion: hint });
}

function hintFor({ code, details = {} }: RbeeError): string | undefined {
  const key = shownKey(details);
  if (code === "ssh_host_key_unknown" && key !== undefined)
    return (
      `On the machine itself, \`${compareCommand(key.keyType)}\` shows its fingerprint. ` +
      `If it is the same, run this again with --accept-fingerprint ${key.fingerprint}`
    );
  if (code !== "ssh_auth_failed") return undefined;
  const tried = details["wrong"] === true ? " Check it" : " Run this again";
  if (details["needs"] === "password")
    return `${tried.trim()} with --password-stdin, or copy a key there with \`ssh-copy-id\`.`;
  if (details["needs"] === "passphrase")
    return `${tried.trim()} with --passphrase-stdin, or add the key to your agent with \`ssh-add\`.`;
  return undefined;
}
