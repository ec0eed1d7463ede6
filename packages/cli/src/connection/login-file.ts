import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RbeeError } from "@rbee/contract";

/** Which queen this account of this machine talks to, and as whom. */
export interface Login {
  readonly url: string;
  readonly api_key: string;
  /** Name of the account that the key belongs to. */
  readonly user: string;
}

const loginFile = (configDir: string) => join(configDir, "login.json");

/**
 * The stored login, if there is one.
 * @throws {RbeeError} `invalid_request` when the file is not one that `rbee login` wrote.
 */
export function readLogin(configDir: string): Login | undefined {
  let text: string;
  try {
    text = readFileSync(loginFile(configDir), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unusable(configDir, error);
  }
  try {
    const { url, api_key, user } = JSON.parse(text) as Partial<Record<keyof Login, unknown>>;
    if (typeof url === "string" && URL.canParse(url) && typeof api_key === "string" && typeof user === "string")
      return { url, api_key, user };
    throw new TypeError("it lacks what a login consists of");
  } catch (error) {
    throw unusable(configDir, error);
  }
}

const unusable = (configDir: string, cause: unknown) =>
  new RbeeError("invalid_request", `The login in ${loginFile(configDir)} cannot be read.`, {
    suggestion: "Run `rbee logout`, then `rbee login URL` again.",
    cause,
  });

/** Stores a login so that only this account can read it. */
export function writeLogin(configDir: string, login: Login): void {
  const file = loginFile(configDir);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 });
  // The mode above counts for a new file only.
  chmodSync(file, 0o600);
}

/** Forgets the login. */
export function removeLogin(configDir: string): void {
  rmSync(loginFile(configDir), { force: true });
}
