import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec, type SshConnection } from "../../../src/lib/server/provisioning/ssh/index.ts";
import { whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { sshSetting, type SshSetting } from "../../support/ssh-host/setting.ts";
import { waitFor } from "../../support/wait-for.ts";

describe.skipIf(whySkipped !== null)(`commands on a host${whySkipped === null ? "" : ` (${whySkipped})`}`, () => {
  let setting: SshSetting;
  let host: SshHost;
  let connection: SshConnection;
  beforeAll(async () => {
    setting = await sshSetting();
    host = await setting.host();
    connection = await setting.connect(host);
  });
  afterAll(async () => setting.remove());

  it("hands out lines as they are written, and stdout apart from stderr", async () => {
    const lines: string[] = [];
    const result = await exec(connection, "echo one; echo two >&2; printf 'three\\rfour'", {
      onStdout: (line) => lines.push(`out ${line}`),
      onStderr: (line) => lines.push(`err ${line}`),
    });
    expect(lines.toSorted()).toEqual(["err two", "out four", "out one", "out three"]);
    expect(result).toMatchObject({ exitCode: 0, signal: null, stdout: "one\nthree\rfour", stderr: "two\n" });
  });

  it("tells the step, the exit code and the last lines of stderr of a command that failed", async () => {
    await expect(exec(connection, "echo all is lost >&2; exit 3", { name: "build the hive" })).rejects.toMatchObject({
      code: "ssh_command_failed",
      message: expect.stringContaining('"build the hive" failed with exit code 3 on'),
      details: { step: "build the hive", exit_code: 3, signal: null, last_lines: ["all is lost"] },
      suggestion: expect.any(String),
    });
  });

  it("tells a command that a signal ended from one that failed", async () => {
    await expect(exec(connection, "kill -KILL $$")).rejects.toMatchObject({ details: { signal: "KILL" } });
  });

  it("passes arguments, folders, environment and input through as they are", async () => {
    const odd = `it's "odd" $HOME \\ ! \`x\` \n héé`;
    const echoed = await exec(connection, ["printf", "%s", odd]);
    expect(echoed.stdout).toBe(odd);
    const result = await exec(connection, 'pwd; printf "%s|" "$ODD"; cat', {
      cwd: "/tmp",
      env: { ODD: odd },
      stdin: odd,
    });
    expect(result.stdout).toBe(`/tmp\n${odd}|${odd}`);
  });

  it("gives a command that reads nothing the end of its input at once", async () => {
    expect((await exec(connection, "cat; echo done")).stdout).toBe("done\n");
  });

  it("ends the whole process group over there when the signal aborts", async () => {
    const mark = `4711.${process.pid}`;
    const abort = new AbortController();
    const reason = new Error("cancelled by the test");
    const running = exec(connection, `trap '' TERM; sh -c "sleep ${mark}; true" & sleep ${mark}; sleep ${mark}`, {
      signal: abort.signal,
    });
    running.catch(() => {});
    await waitFor("both sleeps running", () => sleeps(host, mark) === 2);
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(sleeps(host, mark)).toBe(0);
  });

  it("ends a command that takes longer than it may, and says so", async () => {
    const mark = `4712.${process.pid}`;
    await expect(exec(connection, ["sleep", mark], { timeoutMs: 300, name: "clone" })).rejects.toMatchObject({
      code: "ssh_timeout",
      details: { step: "clone", limit_ms: 300, stopped: true },
    });
    expect(sleeps(host, mark)).toBe(0);
  });

  it("does not wait for what a command left running in the background", async () => {
    const mark = `4713.${process.pid}`;
    const { stdout } = await exec(connection, `sleep ${mark} & echo $!`);
    expect(stdout).toMatch(/^\d+\n$/);
    expect(sleeps(host, mark)).toBe(1);
    await exec(connection, ["kill", stdout.trim()]);
  });

  it("keeps a long answer's last part and reads it to the end", async () => {
    const result = await exec(
      connection,
      "i=0; while [ $i -lt 30000 ]; do echo line number $i of a long text; i=$((i+1)); done; seq 1 200000",
    );
    expect(result.stdout.length).toBeLessThanOrEqual(1_048_576);
    expect(result.stdout.endsWith("200000\n")).toBe(true);
  });

  it("tells a connection that was lost from a command that failed, and leaves nothing running there", async () => {
    const mark = `4714.${process.pid}`;
    const own = await setting.connect(host);
    const running = exec(own, ["sleep", mark], { name: "build" });
    running.catch(() => {});
    await waitFor("the sleep running", () => sleeps(host, mark) === 1);
    await host.killSessions();
    await expect(running).rejects.toMatchObject({
      code: "ssh_connection_lost",
      details: { during: 'while "build" ran' },
    });
    await expect(exec(own, "true")).rejects.toMatchObject({ code: "ssh_connection_lost" });
    await waitFor("the sleep ending", () => sleeps(host, mark) === 0);
  });
});

function sleeps(host: SshHost, mark: string): number {
  return host.processes().filter((command) => command === `sleep ${mark}`).length;
}
