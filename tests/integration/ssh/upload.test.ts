import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  exec,
  readRemoteFile,
  upload,
  writeRemoteFile,
  type SshConnection,
  type UploadProgress,
} from "../../../src/lib/server/provisioning/ssh/index.ts";
import { whyNoNamespaces, whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { sshSetting, type SshSetting } from "../../support/ssh-host/setting.ts";

const bigBytes = 24 * 1_048_576;

describe.skipIf(whySkipped !== null)(`copying to a host${whySkipped === null ? "" : ` (${whySkipped})`}`, () => {
  let setting: SshSetting;
  let host: SshHost;
  let connection: SshConnection;
  let big: string;
  let bigSum: string;
  beforeAll(async () => {
    setting = await sshSetting();
    host = await setting.host();
    connection = await setting.connect(host);
    big = join(setting.home, "big");
    const content = randomBytes(bigBytes);
    bigSum = createHash("sha256").update(content).digest("hex");
    await writeFile(big, content);
  });
  afterAll(async () => setting.remove());

  const listing = async (on = connection, folder = "~/") => (await exec(on, "ls -A", { cwd: folder })).stdout;

  it("copies a file with progress in bytes and leaves nothing but the file", async () => {
    const steps: UploadProgress[] = [];
    const result = await upload(connection, big, "~/whole/big".replace("whole/", ""), {
      onProgress: (progress) => steps.push(progress),
    });
    expect(result).toEqual({ path: `${host.home}/big`, bytes: bigBytes, resumedBytes: 0, sha256: bigSum });
    expect(steps.at(0)).toEqual({ doneBytes: 0, totalBytes: bigBytes });
    expect(steps.at(-1)).toEqual({ doneBytes: bigBytes, totalBytes: bigBytes });
    expect(steps.length).toBeGreaterThan(10);
    expect(await listing()).toBe("big\n");
    expect((await exec(connection, "sha256sum <big", { cwd: "~/" })).stdout).toContain(bigSum);
    await exec(connection, "rm big", { cwd: "~/" });
  });

  it("copies a stream and says what its content was", async () => {
    const parts = [Buffer.from("one "), Buffer.from("two")];
    const { sha256 } = await upload(connection, Readable.from(parts), "streamed");
    expect(sha256).toBe(createHash("sha256").update("one two").digest("hex"));
    expect((await readRemoteFile(connection, "streamed"))?.toString()).toBe("one two");
  });

  it("goes on where it was cut off when sshd was killed in the middle", async () => {
    const own = await setting.connect(host);
    let killed = false;
    const cut = upload(own, big, "resumed", {
      onProgress({ doneBytes }) {
        if (killed || doneBytes < bigBytes / 3) return;
        killed = true;
        void host.killSessions();
      },
    });
    await expect(cut).rejects.toMatchObject({ code: "ssh_connection_lost" });
    expect(await listing(await setting.connect(host))).not.toMatch(/^resumed$/m);
    const again = await setting.connect(host);
    const result = await upload(again, big, "resumed");
    expect(result.resumedBytes).toBeGreaterThan(0);
    expect(result).toMatchObject({ bytes: bigBytes, sha256: bigSum });
    expect(await listing(again)).toMatch(/^resumed$/m);
    connection = again;
  });

  it("starts anew when what an earlier upload left is not the beginning of the file", async () => {
    const part = `${host.home}/mended.${bigSum.slice(0, 16)}.part`;
    await writeRemoteFile(connection, part, "rubbish");
    const result = await upload(connection, big, "mended");
    expect(result).toMatchObject({ resumedBytes: 0, bytes: bigBytes });
    expect(await listing()).not.toContain(".part");
  });

  it("stops when the signal aborts and keeps what is there for the next time", async () => {
    const abort = new AbortController();
    const reason = new Error("not now");
    const stopped = upload(connection, big, "stopped", {
      signal: abort.signal,
      onProgress: ({ doneBytes }) => doneBytes > bigBytes / 3 && abort.abort(reason),
    });
    await expect(stopped).rejects.toBe(reason);
    expect((await upload(connection, big, "stopped")).resumedBytes).toBeGreaterThan(0);
  });

  it("reads null where there is no file, and never half a file that is written", async () => {
    expect(await readRemoteFile(connection, "~/no such file")).toBeNull();
    const bytes = Buffer.from([...Array(256).keys()]);
    await writeRemoteFile(connection, "all bytes", bytes);
    expect(await readRemoteFile(connection, "all bytes")).toEqual(bytes);
    await writeRemoteFile(connection, "all bytes", "");
    expect(await readRemoteFile(connection, "all bytes")).toEqual(Buffer.alloc(0));
    expect(
      (await exec(connection, "stat -c %a 'all bytes' 2>/dev/null || stat -f %Lp 'all bytes'", { cwd: "~/" })).stdout,
    ).toBe("600\n");
    await writeRemoteFile(connection, "large", randomBytes(200_000));
    expect((await readRemoteFile(connection, "large"))?.length).toBe(200_000);
    await expect(readRemoteFile(connection, "large", { maxBytes: 1_000 })).rejects.toMatchObject({
      code: "ssh_command_failed",
    });
  });

  it("names the path when the folder does not exist or is in the way", async () => {
    await expect(upload(connection, big, "nowhere/big")).rejects.toMatchObject({
      code: "ssh_command_failed",
      message: expect.stringContaining(`${host.home}/nowhere/big`),
    });
    await exec(connection, "mkdir -p folder", { cwd: "~/" });
    await expect(writeRemoteFile(connection, "folder", "x")).rejects.toMatchObject({
      message: expect.stringContaining("there is a folder of that name"),
    });
  });

  describe.skipIf(whyNoNamespaces !== null)(`disks${whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`}`, () => {
    beforeAll(async () => {
      const { home } = host;
      await host.asRoot(`mkdir ${home}/small ${home}/locked && mount -t tmpfs -o size=2m,mode=777 tmpfs ${home}/small`);
    });

    it("says before the first byte that a disk is too small, with need and have", async () => {
      await expect(upload(connection, big, "small/big")).rejects.toMatchObject({
        code: "insufficient_disk",
        details: { need_mb: 24, have_mb: 2, path: `${host.home}/small/big` },
      });
      expect(await listing(connection, "~/small")).toBe("");
    });

    it("says that the disk got full while a stream of unknown length was copied", async () => {
      const endless = Readable.from(
        (function* () {
          for (let sent = 0; sent < 64; sent += 1) yield randomBytes(1_048_576);
        })(),
      );
      await expect(upload(connection, endless, "small/stream")).rejects.toMatchObject({ code: "insufficient_disk" });
      await exec(connection, "rm -f small/*", { cwd: "~/" });
    });

    it("tells a folder that it may not write to from a full disk", async () => {
      const denied = { code: "ssh_command_failed", message: expect.stringMatching(/locked\/x.*permission denied/i) };
      await expect(upload(connection, big, "locked/x")).rejects.toMatchObject(denied);
      await expect(writeRemoteFile(connection, "locked/x", "x")).rejects.toMatchObject(denied);
    });
  });
});
