import type { SshConnection } from "./connection.ts";
import { exec } from "./exec.ts";

const homes = new WeakMap<SshConnection, Promise<string>>();

/** The account's home folder on the host, asked for once per connection. @throws as `exec` does */
export async function remoteHome(connection: SshConnection): Promise<string> {
  const known = homes.get(connection);
  if (known !== undefined) return known;
  const home = exec(connection, 'printf %s "$HOME"', { name: "find the home folder" }).then(({ stdout }) => stdout);
  homes.set(connection, home);
  home.catch(() => homes.delete(connection));
  return home;
}

/** The absolute path on the host; `~/` and relative paths start at the home folder. @throws as `exec` does */
export async function remotePath(connection: SshConnection, path: string): Promise<string> {
  if (path.startsWith("/")) return path;
  const home = await remoteHome(connection);
  const rest = path.replace(/^~(\/|$)/, "");
  return rest === "" ? home : `${home.replace(/\/$/, "")}/${rest}`;
}

/** The folder that a path on the host is in. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}
