import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ok, warn, type Check, type Finding } from "./finding.ts";

function readable(name: string, file: string, absent: string): Finding {
  if (!existsSync(file)) return ok(name, absent);
  try {
    readFileSync(file);
    return ok(name, file);
  } catch {
    return warn(name, `${file} cannot be read`, `Make it yours: chmod 600 ${file}`);
  }
}

const isPrivateKey = (file: string) => {
  try {
    return readFileSync(file, { encoding: "utf8" }).startsWith("-----BEGIN");
  } catch {
    return false;
  }
};

/** ssh itself refuses a key that others can read; rbee would use it, and somebody else could, too. */
function keys(folder: string): Finding {
  const name = "ssh keys";
  if (!existsSync(folder)) return ok(name, "none; machines are reached by agent or password");
  const found = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".pub"))
    .map((entry) => join(folder, entry.name))
    .filter(isPrivateKey);
  const open = process.platform === "win32" ? [] : found.filter((file) => (statSync(file).mode & 0o077) !== 0);
  if (open.length > 0)
    return warn(name, `other users can read ${open.join(", ")}`, `Make them yours: chmod 600 ${open.join(" ")}`);
  return ok(name, found.length === 0 ? "none; machines are reached by agent or password" : `${found.length} found`);
}

/** The files that the queen reads as `ssh` does. */
export function sshChecks(home = homedir()): readonly Check[] {
  const folder = join(home, ".ssh");
  return [
    {
      name: "ssh config",
      look: () => readable("ssh config", join(folder, "config"), "none; machines are named by user and address"),
    },
    {
      name: "known hosts",
      look: () =>
        readable("known hosts", join(folder, "known_hosts"), "none; each machine's key is shown to you first"),
    },
    { name: "ssh keys", look: () => keys(folder) },
  ];
}
