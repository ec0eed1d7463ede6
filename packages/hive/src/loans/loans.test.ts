import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { hiveClient, type LoanGrant, type LoanRequest } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { alive } from "../testing/hive-process.ts";
import { eventually } from "../testing/eventually.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { smallHive, token, type SmallHive, type SmallHiveOptions } from "../testing/small-hive.ts";
import { silenceMs, unusedMs } from "./loans.ts";
import { echoProgram } from "./testing/echo-program.ts";
import { openTunnel } from "./tunnel-client.ts";

const wish: LoanRequest = { model: "big-bee", borrower: "attic", device: "cpu", device_mb: 0, ram_mb: 1 };

async function lending(options: SmallHiveOptions = {}): Promise<{ hive: SmallHive; grant: LoanGrant; pid: number }> {
  const program = echoProgram();
  const hive = await smallHive("good", { computeServer: () => Promise.resolve(program), ...options });
  const grant = await hive.client.startLoan({ body: wish });
  return { hive, grant, pid: grant.pid ?? 0 };
}

const tunnelTo = ({ hive, grant }: { hive: SmallHive; grant: LoanGrant }, bearer = grant.token) =>
  openTunnel({ url: hive.url, name: "cellar", loan_id: grant.loan_id, token: bearer }, new AbortController().signal);

/** The addresses on which a process listens, as /proc/net/tcp has them. */
function listening(pid: number): string[] {
  return readFileSync(`/proc/${pid}/net/tcp`, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/u))
    .filter(([, , , state]) => state === "0A")
    .map(([, address = ""]) => address);
}

describe("a loan", () => {
  it("carries bytes both ways, whatever they are and however many, to a process that listens on loopback alone", async () => {
    const lent = await lending();
    expect(alive(lent.pid)).toBe(true);
    const { socket, head } = await tunnelTo(lent);
    expect(head).toHaveLength(0);
    const sent = Buffer.alloc(8_000_000, "0123456789abcdef\n");
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.write(sent);
    await eventually("all of it is back", () => parts.reduce((sum, { length }) => sum + length, 0) === sent.length);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    socket.destroy();
    const port = /--port (\d+)/u.exec(readFileSync(`/proc/${lent.pid}/cmdline`, "utf8").replaceAll("\0", " "))?.[1];
    const hex = Number(port).toString(16).toUpperCase().padStart(4, "0");
    expect(listening(lent.pid).filter((address) => address.endsWith(`:${hex}`))).toEqual([`0100007F:${hex}`]);
  });

  it("is opened by its own token and the hive's, and by no other", async () => {
    const lent = await lending();
    const { hive, grant } = lent;
    const other = await hive.client.startLoan({ body: wish });
    for (const [bearer, code] of [
      [other.token, "invalid_api_key"],
      ["x".repeat(43), "invalid_api_key"],
    ] as const) {
      await expect(tunnelTo(lent, bearer)).rejects.toMatchObject({ code, status: 401 });
      const stranger = hiveClient({ baseUrl: hive.url, token: bearer });
      const at = { params: { id: grant.loan_id } };
      await expect(stranger.keepLoan(at)).rejects.toMatchObject({ code });
      await expect(stranger.endLoan(at)).rejects.toMatchObject({ code });
    }
    const borrower = hiveClient({ baseUrl: hive.url, token: grant.token });
    await expect(borrower.startLoan({ body: wish })).rejects.toMatchObject({ code: "invalid_api_key" });
    await expect(borrower.listLoans()).rejects.toMatchObject({ code: "invalid_api_key" });
    expect(await borrower.keepLoan({ params: { id: grant.loan_id } })).not.toHaveProperty("token");
    (await tunnelTo(lent, token)).socket.destroy();
  });

  it("answers a request for a tunnel without a token, or without Upgrade, as any other", async () => {
    const { hive, grant } = await lending();
    const path = `/v1/loans/${grant.loan_id}/tunnel`;
    expect((await fetch(`${hive.url}${path}`)).status).toBe(401);
    const plain = await fetch(`${hive.url}${path}`, { headers: { authorization: `Bearer ${grant.token}` } });
    expect(plain.status).toBe(400);
    const raw = connect({ host: "127.0.0.1", port: Number(new URL(hive.url).port) });
    let said = "";
    raw.on("data", (part: Buffer) => (said += part.toString("utf8")));
    raw.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: rbee-loan\r\n\r\n`);
    await eventually("it is refused", () => said.includes("missing_api_key"));
    expect(said).toMatch(/^HTTP\/1\.1 401 /u);
  });

  it("ends with its process when it is told to, and its connections with it", async () => {
    const lent = await lending();
    const { hive, grant, pid } = lent;
    const { socket } = await tunnelTo(lent);
    socket.resume();
    const borrower = hiveClient({ baseUrl: hive.url, token: grant.token });
    await borrower.endLoan({ params: { id: grant.loan_id } });
    await eventually("the process is gone", () => !alive(pid));
    await eventually("the connection is gone", () => socket.destroyed);
    await expect(borrower.keepLoan({ params: { id: grant.loan_id } })).rejects.toMatchObject({ status: 401 });
    expect((await hive.client.listLoans()).data).toEqual([]);
  });

  it("ends when its process dies, and the borrower's connection with it", async () => {
    const lent = await lending();
    const { socket } = await tunnelTo(lent);
    socket.resume();
    process.kill(lent.pid, "SIGKILL");
    await eventually("the connection is gone", () => socket.destroyed);
    await eventually("the loan is gone", () => lent.hive.loans.list().length === 0);
    expect(lent.hive.lines.map(({ msg }) => msg)).toContainEqual(
      expect.stringContaining("What computed a part of big-bee for attic died (signal SIGKILL)"),
    );
  });

  it("ends when its borrower falls silent, and not before", async () => {
    const clock = new ManualClock();
    const lent = await lending({ clock });
    const { hive, grant, pid } = lent;
    const { socket } = await tunnelTo(lent);
    socket.resume();
    const keep = () => hive.loans.keep(grant.loan_id, true);
    for (let second = 0; second < 60; second += 1) {
      keep();
      clock.advance(1_000);
    }
    clock.advance(silenceMs.after - 2_000);
    expect(keep()).toMatchObject({ loaded: true, pid });
    clock.advance(silenceMs.after + 2_000);
    expect(() => keep()).toThrow(/may have ended/u);
    await eventually("the process is gone", () => !alive(pid));
    await eventually("the connection is gone", () => socket.destroyed);
  });

  it("is kept by what its borrower sends while it loads, for longer than later", async () => {
    const clock = new ManualClock();
    const { hive, grant, pid } = await lending({ clock });
    const { socket } = await tunnelTo({ hive, grant });
    let returned = 0;
    socket.on("data", (part: Buffer) => (returned += part.length));
    hive.loans.keep(grant.loan_id, false);
    for (let time = 1; time <= 4; time += 1) {
      clock.advance(silenceMs.inLoad - 2_000);
      socket.write("x");
      await eventually("it is back", () => returned === time);
    }
    expect(hive.loans.list()).toMatchObject([{ loaded: false, pid }]);
    clock.advance(silenceMs.inLoad + 2_000);
    await eventually("the process is gone", () => !alive(pid));
    expect(hive.loans.list()).toEqual([]);
  });

  it("ends when nobody uses it any more, or never did", async () => {
    const clock = new ManualClock();
    const lent = await lending({ clock });
    const unused = await lent.hive.client.startLoan({ body: wish });
    const { loans } = lent.hive;
    (await tunnelTo(lent)).socket.destroy();
    await eventually("its connection is gone", () => loans.tunnelsOf(lent.grant.loan_id) === 0);
    const pass = (ms: number) => {
      for (let second = 0; second < ms / 1_000; second += 1) {
        for (const { loan_id } of loans.list()) loans.keep(loan_id, false);
        clock.advance(1_000);
      }
    };
    pass(unusedMs.after + 2_000);
    expect(loans.list().map(({ loan_id }) => loan_id)).toEqual([unused.loan_id]);
    pass(unusedMs.before);
    expect(loans.list()).toEqual([]);
    await eventually("both processes are gone", () => !alive(lent.pid) && !alive(unused.pid ?? 0));
  });

  it("is refused where there is too little memory, no such device, or no program for it", async () => {
    const { hive } = await lending({ memoryLimitMb: 1_000 });
    const ask = (more: Partial<LoanRequest>) => hive.client.startLoan({ body: { ...wish, ...more } });
    await ask({ ram_mb: 600 });
    // The first is not loaded yet, so it is only promised.
    await expect(ask({ ram_mb: 600 })).rejects.toMatchObject({
      code: "insufficient_ram",
      details: { need_mb: 600, have_mb: 399 },
    });
    await expect(ask({ device: "cuda:7" })).rejects.toMatchObject({ code: "backend_unavailable" });
    const poor = await smallHive();
    await expect(poor.client.startLoan({ body: wish })).rejects.toMatchObject({ code: "backend_unavailable" });
  });

  it("of which the process cannot start is an error that says what it said", async () => {
    const { fakeTool } = await import("../testing/fixture.ts");
    const broken = fakeTool("echo no such device >&2; exit 3");
    const hive = await smallHive("good", { computeServer: () => Promise.resolve(broken) });
    await expect(hive.client.startLoan({ body: wish })).rejects.toMatchObject({
      code: "worker_spawn_failed",
      message: expect.stringContaining("exit code 3") as string,
      details: { last_lines: expect.arrayContaining(["no such device"]) as string[] },
    });
    expect(hive.loans.list()).toEqual([]);
  });
});
