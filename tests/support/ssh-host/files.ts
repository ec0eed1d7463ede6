import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SshHostOptions } from "./host.ts";
import { run } from "./run.ts";

/** The account of a test host that has accounts of its own. */
export const account = { name: "vince", uid: 4242 };

/** Writes the files of /etc that a test host sees instead of the machine's: one ordinary account and its password. */
export async function writeAccounts(folder: string, home: string, options: SshHostOptions): Promise<void> {
  const etc = join(folder, "etc");
  await mkdir(etc, { recursive: true, mode: 0o755 });
  const { name, uid } = account;
  const shell = options.shell ?? "/bin/sh";
  const hash = options.password === undefined ? "*" : (await run("openssl", ["passwd", "-6", options.password])).trim();
  await writeFile(
    join(etc, "passwd"),
    [
      "root:x:0:0:root:/nonexistent:/bin/sh",
      "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin",
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
      `${name}:x:${uid}:${uid}:Vince:${home}:${shell}`,
      "",
    ].join("\n"),
  );
  await writeFile(join(etc, "group"), `root:x:0:\ntty:x:5:\nnogroup:x:65534:\n${name}:x:${uid}:\n`);
  await writeFile(join(etc, "shadow"), `root:!:19000::::::\nsshd:!:19000::::::\n${name}:${hash}:19000:0:99999:7:::\n`, {
    mode: 0o600,
  });
  await writeFile(
    join(etc, "pam"),
    "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n",
  );
  await chown(home, uid, uid);
  await writeFile(join(etc, "masked"), (options.without ?? []).join("\n"));
  await writeFile(join(etc, "sh"), options.sh ?? "");
}

/** Writes the configuration of a test host's sshd. */
export async function writeSshdConfig(
  folder: string,
  { address, port, home }: { address: string; port: number; home: string | null },
  options: SshHostOptions,
): Promise<string> {
  const path = join(folder, "sshd_config");
  const yes = (value: boolean | undefined) => (value === true ? "yes" : "no");
  const lines = [
    `ListenAddress ${address}:${port}`,
    ...(options.hostKeys ?? ["ed25519"]).map((type) => `HostKey ${folder}/host_${type}`),
    `PidFile ${folder}/sshd.pid`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    `PasswordAuthentication ${yes(options.password !== undefined && options.keyboardInteractive !== true)}`,
    `KbdInteractiveAuthentication ${yes(options.keyboardInteractive)}`,
    // Only PAM asks questions, and only root may use it.
    ...(process.getuid?.() === 0 ? [`UsePAM ${yes(options.keyboardInteractive)}`] : []),
    `PermitRootLogin ${yes(home !== null)}`,
    "StrictModes no",
    "UseDNS no",
    "PrintMotd no",
    "LogLevel VERBOSE",
    "MaxStartups 100",
    `MaxSessions ${options.maxSessions ?? 10}`,
    ...(home === null ? [] : [`SetEnv "HOME=${home}"`]),
  ];
  await writeFile(path, `${lines.join("\n")}\n`);
  return path;
}
