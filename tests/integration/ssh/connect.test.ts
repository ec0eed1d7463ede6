import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  connect,
  createHostKeys,
  exec,
  pinnedKeysInFile,
  pinnedKeysInMemory,
  resolveTarget,
  type ConnectOptions,
  type SshTarget,
} from "../../../src/lib/server/provisioning/ssh/index.ts";
import { whyNoNamespaces, whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { createKey } from "../../support/ssh-host/keys.ts";
import { run } from "../../support/ssh-host/run.ts";
import { sshSetting, type SshSetting } from "../../support/ssh-host/setting.ts";
import { waitFor } from "../../support/wait-for.ts";

describe.skipIf(whySkipped !== null)(`connecting${whySkipped === null ? "" : ` (${whySkipped})`}`, () => {
  let setting: SshSetting;
  let host: SshHost;
  let accepted: Pick<ConnectOptions, "hostKeys" | "acceptedFingerprints">;
  beforeAll(async () => {
    setting = await sshSetting();
    host = await setting.host({ hostKeys: ["ed25519", "ecdsa", "rsa"] });
    accepted = { hostKeys: setting.hostKeys, acceptedFingerprints: [await host.fingerprint()] };
  });
  afterAll(async () => setting.remove());

  const withKeys = async (identityFiles: string[], more: Partial<SshTarget> = {}): Promise<SshTarget> => ({
    ...(await setting.target(host)),
    identityFiles,
    ...more,
  });
  async function greets(target: SshTarget, options: Partial<ConnectOptions> = {}): Promise<string> {
    const connection = await connect(target, { ...accepted, ...options });
    try {
      return (await exec(connection, "echo hello")).stdout;
    } finally {
      connection.end();
      await connection.closed;
    }
  }

  describe("by keys", () => {
    it("signs in with a key file of the person's", async () => {
      expect(await greets(await setting.target(host))).toBe("hello\n");
    });

    it("says that no key fits, at once and with what the host would take", async () => {
      const stranger = await createKey(join(setting.home, "stranger"));
      await expect(greets(await withKeys([stranger.path]))).rejects.toMatchObject({
        code: "ssh_auth_failed",
        details: { needs: "key", wrong: false, offered: ["publickey"] },
      });
    });

    it("asks for the passphrase of a locked key, refuses a wrong one and signs in with the right one", async () => {
      const locked = await createKey(join(setting.home, "locked"), "ed25519", "sesame");
      await host.authorize(locked.publicKey);
      const target = await withKeys([locked.path]);
      await expect(greets(target)).rejects.toMatchObject({
        code: "ssh_auth_failed",
        details: { needs: "passphrase", key: locked.path, wrong: false },
      });
      const wrong = greets(target, { auth: { passphrase: "simsalabim" } });
      await expect(wrong).rejects.toMatchObject({ details: { needs: "passphrase", key: locked.path, wrong: true } });
      await expect(wrong).rejects.not.toThrow(/simsalabim/);
      expect(await greets(target, { auth: { passphrase: "sesame" } })).toBe("hello\n");
    });

    it.each(["rsa", "ecdsa"] as const)("signs in with a locked %s key", async (type) => {
      const key = await createKey(join(setting.home, `locked_${type}`), type, "sesame");
      await host.authorize(key.publicKey);
      expect(await greets(await withKeys([key.path]), { auth: { passphrase: "sesame" } })).toBe("hello\n");
    });
  });

  describe("by a real agent", () => {
    let agentSocket: string;
    let stopAgent: () => Promise<unknown>;
    beforeAll(async () => {
      agentSocket = join(setting.home, "agent.sock");
      const agent = spawn("ssh-agent", ["-D", "-a", agentSocket], { stdio: "ignore" });
      const exited = once(agent, "exit");
      stopAgent = async () => {
        agent.kill();
        return exited;
      };
      for (let number = 0; number < 3; number += 1) await createKey(join(setting.home, `spare${number}`));
      await createKey(join(setting.home, "held"), "rsa");
      const add = (name: string) =>
        run("env", [`SSH_AUTH_SOCK=${agentSocket}`, "ssh-add", "-q", join(setting.home, name)]);
      await waitFor("the agent answering", async () => (await add("spare0"), true));
      for (const name of ["spare1", "spare2", "held"]) await add(name);
      await host.authorize((await readFile(join(setting.home, "held.pub"), "utf8")).trim());
    });
    afterAll(async () => stopAgent());

    it("signs in with a key that only the agent holds", async () => {
      expect(await greets(await withKeys([], { agentSocket }))).toBe("hello\n");
    });

    it("offers with IdentitiesOnly none but the keys of the config, though the agent holds more", async () => {
      const only = { agentSocket, identitiesOnly: true };
      await expect(greets(await withKeys([join(setting.home, "spare0")], only))).rejects.toMatchObject({
        code: "ssh_auth_failed",
      });
      expect(await greets(await withKeys([join(setting.home, "held.pub").replace(/\.pub$/, "")], only))).toBe(
        "hello\n",
      );
    });

    it("goes on with key files when the agent is gone", async () => {
      const target = await setting.target(host);
      expect(await greets({ ...target, agentSocket: join(setting.home, "no.sock") })).toBe("hello\n");
    });
  });

  describe("host keys", () => {
    it("shows an unknown key as ssh does, pins it once it is accepted, and knows it from then on", async () => {
      const path = join(setting.home, "config", "known_hosts");
      const hostKeys = createHostKeys(pinnedKeysInFile(path));
      const target = await setting.target(host);
      const fingerprint = await host.fingerprint();
      await expect(connect(target, { hostKeys })).rejects.toMatchObject({
        code: "ssh_host_key_unknown",
        details: { host: target.name, fingerprint, key_type: "ssh-ed25519" },
      });
      expect(await hostKeys.accept(target, "SHA256:somethingelse")).toBe(false);
      expect(await hostKeys.accept(target, fingerprint)).toBe(true);
      expect(await greets(target, { hostKeys, acceptedFingerprints: [] })).toBe("hello\n");
      const later = createHostKeys(pinnedKeysInFile(path));
      expect(await greets(target, { hostKeys: later, acceptedFingerprints: [] })).toBe("hello\n");
      expect(await later.forget(target)).toBe(true);
      await expect(connect(target, { hostKeys: later })).rejects.toMatchObject({ code: "ssh_host_key_unknown" });
    });

    it.each(["plain", "hashed"])("trusts a key that known_hosts has (%s), of whatever type it is", async (form) => {
      const path = join(setting.home, `known_${form}`);
      const scanned = await run("ssh-keyscan", ["-p", String(host.port), "-t", "rsa", host.address]);
      await writeFile(path, scanned);
      if (form === "hashed") await run("ssh-keygen", ["-q", "-H", "-f", path]);
      const target = { ...(await setting.target(host)), knownHostsFiles: [path] };
      const hostKeys = createHostKeys(pinnedKeysInMemory());
      expect(await greets(target, { hostKeys, acceptedFingerprints: [] })).toBe("hello\n");
    });

    it("refuses a key that is marked as revoked", async () => {
      const path = join(setting.home, "known_revoked");
      const scanned = await run("ssh-keyscan", ["-p", String(host.port), "-t", "ed25519", host.address]);
      await writeFile(path, scanned.replace(/^(?!#)/gm, "@revoked "));
      const target = { ...(await setting.target(host)), knownHostsFiles: [path] };
      await expect(
        connect(target, {
          hostKeys: createHostKeys(pinnedKeysInMemory()),
          acceptedFingerprints: [await host.fingerprint()],
        }),
      ).rejects.toMatchObject({ code: "ssh_host_key_changed", details: { revoked: true } });
    });

    it("refuses a changed key with both fingerprints, even an accepted one, until the old one is forgotten", async () => {
      const other = await setting.host();
      const hostKeys = createHostKeys(pinnedKeysInMemory());
      const target = await setting.target(other);
      const before = await other.fingerprint();
      await greets(target, { hostKeys, acceptedFingerprints: [before] });
      await other.changeHostKeys();
      const after = await other.fingerprint();
      await expect(connect(target, { hostKeys, acceptedFingerprints: [after] })).rejects.toMatchObject({
        code: "ssh_host_key_changed",
        message: expect.stringMatching(/^WARNING/),
        details: { fingerprint: after, known_fingerprint: before },
      });
      await hostKeys.forget(target);
      expect(await greets(target, { hostKeys, acceptedFingerprints: [after] })).toBe("hello\n");
    });

    it("takes a key of another type for a changed one, since a known host keeps its keys", async () => {
      const other = await setting.host();
      const hostKeys = createHostKeys(pinnedKeysInMemory());
      const target = await setting.target(other);
      await greets(target, { hostKeys, acceptedFingerprints: [await other.fingerprint()] });
      await other.changeHostKeys(["ecdsa"]);
      await expect(connect(target, { hostKeys })).rejects.toMatchObject({ code: "ssh_host_key_changed" });
    });
  });

  describe("hosts that cannot be reached", () => {
    it("says that the port refuses connections, after three attempts", async () => {
      const closed = await setting.host();
      const target = await setting.target(closed);
      await closed.stopListening();
      const begun = performance.now();
      await expect(connect(target, accepted)).rejects.toMatchObject({
        code: "hive_unreachable",
        details: { reason: "ECONNREFUSED" },
      });
      expect(performance.now() - begun).toBeGreaterThan(590);
    });

    it("connects when sshd comes back between two attempts", async () => {
      const late = await setting.host();
      const target = await setting.target(late);
      await late.stopListening();
      const connecting = greets(target, { acceptedFingerprints: [await late.fingerprint()] });
      await late.startListening();
      expect(await connecting).toBe("hello\n");
    });

    it("says that a name is unknown", async () => {
      const target = await resolveTarget("vince@no-such-machine.invalid", { home: setting.home });
      await expect(connect(target, accepted)).rejects.toMatchObject({
        code: "hive_unreachable",
        message: expect.stringContaining("no-such-machine.invalid"),
      });
    });

    it("says that a host which accepts but stays silent did not answer in time", async () => {
      const silent = createServer(() => {}).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const { port } = silent.address() as AddressInfo;
      const target = await resolveTarget(`vince@127.0.0.1:${port}`, { home: setting.home });
      await expect(connect(target, { ...accepted, limitMs: 200 })).rejects.toMatchObject({ code: "ssh_timeout" });
      silent.close();
    });

    it("says that what answers is no SSH server", async () => {
      const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
      await once(web, "listening");
      const { port } = web.address() as AddressInfo;
      const target = await resolveTarget(`vince@127.0.0.1:${port}`, { home: setting.home });
      await expect(connect(target, accepted)).rejects.toMatchObject({
        code: expect.stringMatching(/^hive_unreachable$|^ssh_connection_lost$/),
      });
      web.close();
    });

    it("stops connecting when the signal aborts", async () => {
      const silent = createServer(() => {}).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const { port } = silent.address() as AddressInfo;
      const target = await resolveTarget(`vince@127.0.0.1:${port}`, { home: setting.home });
      const abort = new AbortController();
      const connecting = connect(target, { ...accepted, signal: abort.signal });
      const reason = new Error("not any more");
      abort.abort(reason);
      await expect(connecting).rejects.toBe(reason);
      silent.close();
    });
  });

  describe.skipIf(whyNoNamespaces !== null)(
    `accounts${whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`}`,
    () => {
      it.each([false, true])("signs in with a password and says when it is wrong (as a question: %s)", async (asks) => {
        const other = await setting.host({ password: "correct horse", keyboardInteractive: asks, authorizedKeys: [] });
        const acceptedFingerprints = [await other.fingerprint()];
        const target = await setting.target(other);
        await expect(greets(target, { acceptedFingerprints })).rejects.toMatchObject({
          code: "ssh_auth_failed",
          details: { needs: "password", wrong: false },
        });
        const wrong = await greets(target, { auth: { password: "battery staple" } }).catch((error: unknown) => error);
        expect(wrong).toMatchObject({ code: "ssh_auth_failed", details: { needs: "password", wrong: true } });
        expect(JSON.stringify([wrong, String(wrong)])).not.toContain("battery");
        expect(await greets(target, { auth: { password: "correct horse" } })).toBe("hello\n");
      });

      it("connects as `ssh alias` would: Include, patterns, tokens, keys, and a jump over another host", async () => {
        const inner = await setting.host();
        const key = await createKey(join(setting.home, ".ssh", `key for ${inner.address}`));
        await inner.authorize(key.publicKey);
        await mkdir(join(setting.home, ".ssh", "conf.d"), { recursive: true });
        await writeFile(
          join(setting.home, ".ssh", "config"),
          `Include conf.d/*\nHost door\n  HostName ${host.address}\nHost *\n  User vince\n  ConnectTimeout 5\n`,
        );
        await writeFile(
          join(setting.home, ".ssh", "conf.d", "rack"),
          `Host ${inner.address.split(".").at(-1)} gaming-pc\n  HostName ${inner.address}\n  ProxyJump door\n` +
            `  IdentitiesOnly yes\n  IdentityFile "~/.ssh/key for %h"\n`,
        );
        const target = await resolveTarget("gaming-pc", { home: setting.home, env: {} });
        const unknown = greets(target, { acceptedFingerprints: [] });
        await expect(unknown).rejects.toMatchObject({ code: "ssh_host_key_unknown", details: { host: "gaming-pc" } });
        const connection = await connect(target, { ...accepted, acceptedFingerprints: [await inner.fingerprint()] });
        const { stdout } = await exec(connection, "echo $SSH_CONNECTION");
        expect(stdout.split(" ").slice(0, 3)).toEqual([host.address, expect.any(String), inner.address]);
        await host.killSessions();
        await connection.closed;
        await expect(exec(connection, "true")).rejects.toMatchObject({ code: "ssh_connection_lost" });
        await inner.stopListening();
        await expect(greets(target)).rejects.toMatchObject({ code: "hive_unreachable", details: { through: "door" } });
      });

      it("says that a host whose cable is pulled does not answer in time", async () => {
        const unplugged = await setting.host();
        const target = await setting.target(unplugged);
        await unplugged.network?.setLink(false);
        await expect(connect(target, { ...accepted, limitMs: 300 })).rejects.toMatchObject({
          code: expect.stringMatching(/^ssh_timeout$|^hive_unreachable$/),
        });
      });
    },
  );
});
