import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  exec,
  readRemoteFile,
  remoteHome,
  upload,
  writeRemoteFile,
} from "../../../src/lib/server/provisioning/ssh/index.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import { sshSetting, type SshSetting } from "../../support/ssh-host/setting.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Start-up files that print on both streams, change options and echo commands, by shell. */
const shells: { shell: string; file: string; noise: string }[] = [
  { shell: "/bin/bash", file: ".bashrc", noise: "echo Welcome; printf 'no line end'; echo oops >&2; set -x; cd /\n" },
  { shell: "/usr/bin/zsh", file: ".zshenv", noise: "echo Welcome; printf 'no line end'; echo oops >&2; set -x\n" },
  { shell: "/usr/bin/tcsh", file: ".cshrc", noise: 'echo Welcome\nprintf "no line end"\nset echo\nset verbose\n' },
  {
    shell: "/usr/bin/fish",
    file: ".config/fish/config.fish",
    noise: "echo Welcome; printf 'no line end'; echo oops >&2\n",
  },
];

describe.skipIf(whyNoNamespaces !== null)(`odd hosts${whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`}`, () => {
  let setting: SshSetting;
  beforeAll(async () => {
    setting = await sshSetting();
  });
  afterAll(async () => setting.remove());

  for (const { shell, file, noise } of shells)
    it.skipIf(!existsSync(shell))(`keeps the noise of ${shell} and its ${file} out of every answer`, async () => {
      const host = await setting.host({ shell });
      const path = join(host.home, file);
      await host.asRoot(`mkdir -p '${join(path, "..")}'`);
      await writeFile(path, noise);
      const connection = await setting.connect(host);
      const odd = `a 'b' "c" $d ! \\ \`e\`\nsecond line`;
      const result = await exec(connection, ["printf", "%s", odd]);
      expect(result).toMatchObject({ stdout: odd, stderr: "" });
      await expect(exec(connection, "echo mine >&2; exit 4")).rejects.toMatchObject({
        details: { exit_code: 4, last_lines: ["mine"] },
      });
      await writeRemoteFile(connection, "~/note", odd);
      expect((await readRemoteFile(connection, "~/note"))?.toString()).toBe(odd);
      const { path: sent } = await upload(connection, path, "~/copy of rc");
      expect((await readRemoteFile(connection, sent))?.toString()).toBe(noise);
    });

  it("copies and runs in a home folder with a space and quotes in its name", async () => {
    const homeName = `Vince's "big" home`;
    const host = await setting.host({ homeName });
    const connection = await setting.connect(host);
    expect(await remoteHome(connection)).toBe(host.home);
    await writeRemoteFile(connection, "~/it's here", "x", { mode: 0o640 });
    const result = await exec(connection, 'pwd; stat -c "%a %U" -- *', { cwd: "~/" });
    expect(result.stdout).toBe(`${host.home}\n640 vince\n`);
    const local = join(setting.home, "file");
    await writeFile(local, "content");
    const { path } = await upload(connection, local, "~/a 'b'", { mode: 0o755 });
    expect(path).toBe(`${host.home}/a 'b'`);
    expect((await exec(connection, ["stat", "-c", "%a %s", path])).stdout).toBe("755 7\n");
  });

  const groups: { name: string; sh?: string; without: string[] }[] = [
    { name: "setsid is missing and sh is bash (as on macOS)", sh: "/bin/bash", without: ["/usr/bin/setsid"] },
    { name: "setsid is missing and sh has no job control", without: ["/usr/bin/setsid"] },
    { name: "sh is busybox", sh: "/bin/busybox", without: [] },
  ];
  for (const { name, sh, without } of groups)
    it.skipIf(sh !== undefined && !existsSync(sh))(`ends the remote process group where ${name}`, async () => {
      const host = await setting.host({ without, ...(sh === undefined ? {} : { sh }) });
      const connection = await setting.connect(host);
      const sleeps = () => host.processes().filter((command) => command === "sleep 4715.5").length;
      const abort = new AbortController();
      const running = exec(connection, "sleep 4715.5 & trap '' TERM; sleep 4715.5; sleep 4715.5", {
        signal: abort.signal,
      });
      running.catch(() => {});
      await waitFor("both sleeps running", () => sleeps() === 2);
      abort.abort(new Error("cancelled"));
      await expect(running).rejects.toThrow("cancelled");
      expect(sleeps()).toBe(0);
      await expect(exec(connection, "exit 7")).rejects.toMatchObject({ details: { exit_code: 7 } });
    });

  it("says what the host said when the account may not run commands", async () => {
    const host = await setting.host({ shell: "/usr/sbin/nologin" });
    const connection = await setting.connect(host);
    await expect(exec(connection, "true", { name: "check" })).rejects.toMatchObject({
      code: "ssh_command_failed",
      message: expect.stringContaining("not available"),
    });
  });

  it("does not wait for ever when a start-up file waits for input", async () => {
    const host = await setting.host({ shell: "/bin/bash" });
    await writeFile(join(host.home, ".bashrc"), "echo Your choice?; sleep 4716\n");
    const connection = await setting.connect(host);
    await expect(exec(connection, "true", { startLimitMs: 500 })).rejects.toMatchObject({
      code: "ssh_command_failed",
      message: expect.stringContaining("Your choice?"),
    });
  });
});
