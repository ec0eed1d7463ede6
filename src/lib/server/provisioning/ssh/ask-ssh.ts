import { execFile } from "node:child_process";
import type { HostSettings } from "./resolve.ts";
import type { Destination } from "./target.ts";

const limitMs = 5_000;
/** Keywords whose value is a list on one line. */
const lists = new Set(["userknownhostsfile", "globalknownhostsfile"]);

/**
 * What `ssh -G` says about a host, or null where there is no such program or it cannot read the config.
 * @param configPath read instead of the person's and the system's config
 */
export async function askSsh(destination: Destination, configPath: string | undefined): Promise<HostSettings | null> {
  const args = ["-G"];
  if (configPath !== undefined) args.push("-F", configPath);
  if (destination.user !== undefined) args.push("-l", destination.user);
  if (destination.port !== undefined) args.push("-p", String(destination.port));
  args.push("--", destination.host);
  const output = await new Promise<string | null>((done) => {
    const child = execFile("ssh", args, { timeout: limitMs, windowsHide: true }, (error, stdout) => {
      done(error === null ? stdout : null);
    });
    child.stdin?.end();
  });
  return output === null ? null : parseSettings(output);
}

/** Reads the lines `keyword value` that `ssh -G` prints; several lines of one keyword add up. */
export function parseSettings(output: string): HostSettings {
  const settings = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const space = line.indexOf(" ");
    if (space === -1) continue;
    const keyword = line.slice(0, space).toLowerCase();
    const value = line.slice(space + 1).trim();
    const known = settings.get(keyword) ?? [];
    known.push(...(lists.has(keyword) ? value.split(/\s+/) : [value]));
    settings.set(keyword, known);
  }
  return settings;
}
