import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec, SshPool, type ConnectOptions, type SshTarget } from "../../../src/lib/server/provisioning/ssh/index.ts";
import { whyNoNamespaces, whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { sshSetting, type SshSetting } from "../../support/ssh-host/setting.ts";
import { waitFor } from "../../support/wait-for.ts";

describe.skipIf(whySkipped !== null)(`shared connections${whySkipped === null ? "" : ` (${whySkipped})`}`, () => {
  let setting: SshSetting;
  let host: SshHost;
  let target: SshTarget;
  let options: ConnectOptions;
  const pools: SshPool[] = [];
  const newPool = (idleMs?: number) => {
    const pool = new SshPool({ idleMs });
    pools.push(pool);
    return pool;
  };
  beforeAll(async () => {
    setting = await sshSetting();
    host = await setting.host();
    target = await setting.target(host);
    options = { hostKeys: setting.hostKeys, acceptedFingerprints: [await host.fingerprint()] };
  });
  afterAll(async () => {
    for (const pool of pools) await pool.close();
    await setting.remove();
  });

  const signIns = async (of = host) => (await of.log()).match(/Accepted \w+ for/g)?.length ?? 0;

  it("runs thirty commands at once over one connection with at most eight sessions", async () => {
    const pool = newPool();
    const before = await signIns();
    let most = 0;
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, number) =>
        pool.use(target, options, async (connection) => {
          const { stdout } = await exec(connection, `sleep 0.05; echo ${number}`, {
            onStdout: () => (most = Math.max(most, connection.sessions)),
          });
          return Number(stdout);
        }),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 30 }, (_, number) => number));
    expect((await signIns()) - before).toBe(1);
    expect(most).toBe(8);
    expect(pool.size).toBe(1);
  });

  it("makes do with fewer sessions where the host allows fewer", async () => {
    const narrow = await setting.host({ maxSessions: 2 });
    const connection = await setting.connect(narrow);
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, number) => (await exec(connection, `sleep 0.02; echo ${number}`)).stdout),
    );
    expect(answers).toEqual(Array.from({ length: 8 }, (_, number) => `${number}\n`));
  });

  it("replaces a connection that was lost", async () => {
    const pool = newPool();
    const first = await pool.use(target, options, async (connection) => connection);
    await host.killSessions();
    await first.closed;
    expect(await pool.use(target, options, async (connection) => (await exec(connection, "echo again")).stdout)).toBe(
      "again\n",
    );
  });

  it("closes a connection that nobody used for a while", async () => {
    const pool = newPool(20);
    const used = await pool.use(target, options, async (connection) => connection);
    await used.closed;
    expect(pool.size).toBe(0);
  });

  it("keeps a connection open while somebody uses it, however long the others are away", async () => {
    const pool = newPool(20);
    await pool.use(target, options, async (connection) => {
      await pool.use(target, options, async (shared) => expect(shared).toBe(connection));
      await exec(connection, "sleep 0.2");
      expect(connection.alive).toBe(true);
    });
  });

  it("lets a caller with the right secrets in though another's attempt at the same time fails", async () => {
    const pool = newPool();
    const stranger = pool.use(
      target,
      { hostKeys: options.hostKeys, signal: AbortSignal.abort(new Error("left")) },
      async () => 0,
    );
    const ours = pool.use(target, options, async () => 1);
    await expect(stranger).rejects.toThrow("left");
    expect(await ours).toBe(1);
  });

  it("takes a waiting command out of the queue when its signal aborts", async () => {
    const connection = await setting.connect(host);
    const busy = Array.from({ length: 8 }, async () => exec(connection, "sleep 0.3"));
    await waitFor("eight sessions", () => connection.sessions === 8);
    const abort = new AbortController();
    const waiting = exec(connection, "echo never", { signal: abort.signal });
    abort.abort(new Error("impatient"));
    await expect(waiting).rejects.toThrow("impatient");
    await Promise.all(busy);
    expect((await exec(connection, "echo free")).stdout).toBe("free\n");
  });

  it.skipIf(whyNoNamespaces !== null)(
    "notices by itself that the cable was pulled, and says so to the command that ran",
    async () => {
      const unplugged = await setting.host();
      const connection = await setting.connect(unplugged);
      const running = exec(connection, ["sleep", "4717.5"], { name: "build" });
      running.catch(() => {});
      await waitFor("the sleep running", () => unplugged.processes().includes("sleep 4717.5"));
      await unplugged.network?.setLink(false);
      await expect(running).rejects.toMatchObject({
        code: "ssh_connection_lost",
        details: { during: 'while "build" ran' },
      });
      await unplugged.network?.setLink(true);
      const again = await setting.connect(unplugged);
      expect((await exec(again, "echo back")).stdout).toBe("back\n");
    },
  );

  it.skipIf(whyNoNamespaces !== null)(
    "gives a command up when its time is over while the cable is pulled",
    async () => {
      const unplugged = await setting.host();
      const connection = await setting.connect(unplugged);
      const running = exec(connection, ["sleep", "4718.5"], { name: "build", timeoutMs: 500 });
      running.catch(() => {});
      await waitFor("the sleep running", () => unplugged.processes().includes("sleep 4718.5"));
      await unplugged.network?.setLink(false);
      await expect(running).rejects.toMatchObject({ code: "ssh_timeout", details: { step: "build", stopped: false } });
    },
  );
});
