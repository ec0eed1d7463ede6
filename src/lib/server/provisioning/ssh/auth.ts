import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import ssh2, { type AnyAuthMethod, type AuthHandlerMiddleware, type ParsedKey } from "ssh2";
import { ChosenKeysAgent } from "./agent.ts";
import type { AuthNeeds } from "./errors.ts";
import type { SshTarget } from "./target.ts";

/** Secrets for one attempt to sign in; they are used for it and kept nowhere. */
export interface Credentials {
  readonly password?: string | undefined;
  /** Opens encrypted private keys. */
  readonly passphrase?: string | undefined;
}

/** The ways to sign in to one host, in order, and what was missing once they are used up. */
export interface AuthPlan {
  readonly handler: AuthHandlerMiddleware;
  needs(): AuthNeeds;
}

interface IdentityFile {
  readonly path: string;
  /** Null while the key is locked by a passphrase that was not given or does not fit. */
  readonly key: ParsedKey | null;
  /** The public key over the wire, where it is known. */
  readonly publicKey: Buffer | null;
}

/**
 * Plans how to sign in: the agent's keys (those of the ssh config first), key files, then the password, as itself or
 * in answer to the host's questions. Every way is tried once.
 */
export async function planAuth(target: SshTarget, credentials: Credentials): Promise<AuthPlan> {
  const { password, passphrase } = credentials;
  const files = (await Promise.all(target.identityFiles.map((path) => readIdentity(path, passphrase)))).filter(
    (file) => file !== null,
  );
  const agent = agentOf(target, files);
  const inAgent = new Set(agent === null ? [] : (await agent.publicKeys()).map((key) => key.toString("base64")));
  const held = (file: IdentityFile) => file.publicKey !== null && inAgent.has(file.publicKey.toString("base64"));
  const username = target.user;
  let offered: readonly string[] = [];
  let passwordTried = false;

  function* ways(): Generator<AnyAuthMethod> {
    yield { type: "none", username };
    if (agent !== null && inAgent.size > 0 && offered.includes("publickey")) yield { type: "agent", username, agent };
    for (const { key } of files.filter((file) => !held(file)))
      if (key !== null && offered.includes("publickey")) yield { type: "publickey", username, key };
    if (password === undefined) return;
    if (offered.includes("password")) {
      passwordTried = true;
      yield { type: "password", username, password };
    }
    if (offered.includes("keyboard-interactive")) {
      passwordTried = true;
      yield {
        type: "keyboard-interactive",
        username,
        prompt: (_name, _instructions, _language, prompts, finish) => {
          finish(prompts.map((question) => (question.echo === true ? "" : password)));
        },
      };
    }
  }

  const remaining = ways();
  return {
    handler: (left, _partial, next) => {
      if (left !== null) offered = left;
      const way = remaining.next();
      // The typings leave `false` out, which is how ssh2 is told that nothing is left.
      (next as (way: AnyAuthMethod | false) => void)(way.done === true ? false : way.value);
    },
    needs() {
      const locked = files.find((file) => file.key === null && !held(file))?.path;
      if (passwordTried) return { needs: "password", wrong: true, offered };
      if (locked !== undefined) return { needs: "passphrase", key: locked, wrong: passphrase !== undefined, offered };
      const takesPassword = offered.includes("password") || offered.includes("keyboard-interactive");
      return { needs: takesPassword ? "password" : "key", wrong: password !== undefined, offered };
    },
  };
}

function agentOf(target: SshTarget, files: readonly IdentityFile[]): ChosenKeysAgent | null {
  if (target.agentSocket === null || !existsSync(target.agentSocket)) return null;
  const preferred = files.flatMap((file) => (file.publicKey === null ? [] : [file.publicKey]));
  return new ChosenKeysAgent(ssh2.createAgent(target.agentSocket), preferred, target.identitiesOnly);
}

/** Reads a private key; null when there is none at this path or it is of a kind that ssh2 cannot use. */
async function readIdentity(path: string, passphrase: string | undefined): Promise<IdentityFile | null> {
  const publicKey = await readPublicKey(`${path}.pub`);
  let data: Buffer;
  try {
    data = await readFile(path);
  } catch {
    // As in ssh, the public half alone names a key of the agent.
    return publicKey === null ? null : { path, key: null, publicKey };
  }
  const plain = parseKey(data);
  if (!(plain instanceof Error)) return { path, key: plain, publicKey: plain.getPublicSSH() };
  if (!/encrypted|passphrase/i.test(plain.message)) return null;
  const opened = passphrase === undefined ? plain : parseKey(data, passphrase);
  if (opened instanceof Error) return { path, key: null, publicKey };
  return { path, key: opened, publicKey: opened.getPublicSSH() };
}

async function readPublicKey(path: string): Promise<Buffer | null> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return null;
  const key = parseKey(Buffer.from(text));
  return key instanceof Error ? null : key.getPublicSSH();
}

function parseKey(data: Buffer, passphrase?: string): ParsedKey | Error {
  try {
    return ssh2.utils.parseKey(data, passphrase);
  } catch (error) {
    return error instanceof Error ? error : new Error("unreadable key");
  }
}
