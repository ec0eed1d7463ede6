import { queenClient, RbeeError, type QueenClient } from "@rbee/contract";
import { loadSettings, queenSettings } from "@rbee/settings";
import { UsageError } from "../failure.ts";
import { readLogin } from "./login-file.ts";
import { patientFetch } from "./patient-fetch.ts";
import { findLocalQueen } from "./run-file.ts";

/** A queen to talk to. */
export interface Connection {
  readonly url: string;
  readonly client: QueenClient;
  /** As `client`, for answers that may be silent for as long as they like, such as a log that is followed. */
  readonly patient: QueenClient;
  /** Whether it is the queen of this machine's data folder. */
  readonly local: boolean;
}

/** A queen at an address that is known already. */
export const connectionTo = (url: string, token: string | undefined, local: boolean): Connection => ({
  url,
  client: queenClient({ baseUrl: url, token }),
  patient: queenClient({ baseUrl: url, token, fetch: patientFetch }),
  local,
});

/**
 * The address of a queen as people write it: the scheme may be left out.
 * @throws {UsageError} when it is no http address.
 */
export function queenUrl(text: string): string {
  const url = URL.parse(/^[a-z]+:\/\//iu.test(text) ? text : `http://${text}`);
  if (url === null || !["http:", "https:"].includes(url.protocol))
    throw new UsageError(`${text} is not the address of a queen.`, "Write it like http://192.168.1.10:7833.");
  return url.origin;
}

/**
 * The queen that the command talks to: the one named with `--queen`, else the one logged in to, else the one that runs
 * on this machine. Undefined when there is none of them; it is not asked whether it answers.
 * @throws {RbeeError} `invalid_request` when the stored login cannot be read.
 */
export function findQueen(named: string | undefined, env: NodeJS.ProcessEnv): Connection | undefined {
  const { home, configDir } = loadSettings(queenSettings, { env }).values;
  const local = findLocalQueen(home);
  const login = readLogin(configDir);
  const url = named === undefined ? undefined : queenUrl(named);
  if (login !== undefined && (url === undefined || url === login.url))
    return connectionTo(login.url, login.api_key, false);
  if (local !== undefined && (url === undefined || isSame(url, local.url)))
    return connectionTo(local.url, local.token, true);
  return url === undefined ? undefined : connectionTo(url, undefined, false);
}

/** Whether two addresses name the same server of this machine. */
function isSame(left: string, right: string): boolean {
  const canonical = (text: string) => text.replace("//localhost", "//127.0.0.1").replace("//[::1]", "//127.0.0.1");
  return canonical(left) === canonical(right);
}

/**
 * As `findQueen`, for commands that cannot do without.
 * @throws {RbeeError} `queen_unreachable` when there is none.
 */
export function requireQueen(named: string | undefined, env: NodeJS.ProcessEnv): Connection {
  const found = findQueen(named, env);
  if (found !== undefined) return found;
  throw new RbeeError("queen_unreachable", "No queen runs on this machine, and you are not logged in to another one.", {
    suggestion: "Start one with `npm start`, or log in with `rbee login http://ADDRESS:7833`.",
  });
}
