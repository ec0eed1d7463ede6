import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nearbyMachineSchema, type Beehive } from "@rbee/contract";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { resolveTarget } from "../ssh/index.ts";
import type { AnnouncedHive } from "./announcements.ts";
import { createNearby, inWords, probeHive } from "./index.ts";

const hiveId = (digit: number) => `hive:00000000-0000-4000-8000-00000000000${digit}`;
const health = (digit: number) =>
  JSON.stringify({ status: "alive", version: "1.2.3", api_version: "v1", hive_id: hiveId(digit) });

async function listening(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
const aHive = (digit: number, asked: string[] = []) =>
  listening((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? "without a token"}`);
    response.end(health(digit));
  });

async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The files of a person, and a queen's knowledge, in a folder of their own. */
function setting(given: {
  sshConfig?: string;
  hivesConf?: string;
  registered?: Partial<Beehive>[];
  enrolled?: { hiveId: string; host: string | null; port: number | null }[];
  announced?: AnnouncedHive[];
}) {
  const home = mkdtempSync(join(tmpdir(), "rbee-nearby-"));
  onTestFinished(() => {
    rmSync(home, { recursive: true });
  });
  const configPath = join(home, "ssh_config");
  writeFileSync(configPath, given.sshConfig ?? "");
  if (given.hivesConf !== undefined) writeFileSync(join(home, "hives.conf"), given.hivesConf);
  const resolving = { home, configPath, env: {}, askSsh: false };
  const hosts = [...(given.sshConfig ?? "").matchAll(/^Host (\S+)/gmu)].map(([, name]) => name ?? "");
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) });
  const enrolled = (given.enrolled ?? []).map((hive) => ({ name: "x", version: "1.2.3", ...hive }));
  const nearby = createNearby({
    access: { resolve: (destination) => resolveTarget(destination, resolving), hosts: () => hosts },
    beehives: { list: () => (given.registered ?? []) as Beehive[] },
    hives: {
      registry: {
        all: () => enrolled as never,
        find: (id) => enrolled.find((hive) => hive.hiveId === id) as never,
      },
    },
    configDir: home,
    announcements: { list: () => given.announced ?? [], ask: () => {} },
    log,
    now: () => 1_000,
  });
  return { nearby, lines };
}

const entry = (alias: string, port: number, host = "127.0.0.1") =>
  `[[hive]]\nalias = "${alias}"\nhostname = "${host}"\nhive_port = ${port}\n`;

describe("a look around", () => {
  it("asks every machine once, without a token, and says in one line each what it found", async () => {
    const asked: string[] = [];
    const hivePort = await aHive(1, asked);
    const webPort = await listening((_, response) => response.end("<html>"));
    const { nearby, lines } = setting({
      hivesConf: entry("attic", hivePort) + entry("printer", webPort, "localhost").replace("localhost", "127.0.0.2"),
      registered: [
        { name: "loft", target: "vince@127.0.0.1", hive_port: hivePort, hive_id: null },
        { name: "cellar", target: "127.0.0.1", hive_port: await closedPort(), hive_id: null },
      ],
    });
    const found = await nearby.look();
    for (const machine of found) nearbyMachineSchema.parse(machine);
    expect(asked).toEqual(["/health without a token"]);
    expect(found).toMatchObject([
      { name: "cellar", state: "no_hive", sources: ["registry"], checked_at: 1_000, problem: /Nothing listens/u },
      {
        name: "loft",
        state: "not_adopted",
        sources: ["registry", "hives_conf"],
        target: "vince@127.0.0.1",
        hive_id: hiveId(1),
        version: "1.2.3",
        hive_port: hivePort,
      },
      { name: "printer", state: "no_hive", sources: ["hives_conf"] },
    ]);
    expect(lines).toHaveLength(3);
    expect(lines).toContain(`nearby: loft has a hive on port ${hivePort} (rbee 1.2.3) that is not adopted.`);
    expect(nearby.list()).toEqual(found);
  });

  it("finds the hosts of the ssh config, and does not guess at what lies behind another host", async () => {
    const { nearby } = setting({
      sshConfig:
        "Host attic\n  HostName 127.0.0.1\nHost deep\n  HostName 10.9.9.9\n  ProxyJump attic\nHost odd\n  HostName 'no host'\n",
    });
    const found = await nearby.look();
    expect(found).toMatchObject([
      { name: "attic", target: "attic", sources: ["ssh_config"], hive_port: 7835, address: "127.0.0.1" },
      { name: "deep", state: "unknown", checked_at: null, problem: /reached through attic/u },
      { name: "odd", state: "unreachable", checked_at: null },
    ]);
  });

  it("does not ask hives that are enrolled, and shows them as such", async () => {
    const asked: string[] = [];
    const port = await aHive(1, asked);
    const other = await aHive(2, asked);
    const { nearby } = setting({
      hivesConf: entry("attic", port) + entry("cellar", other, "127.0.0.2"),
      registered: [{ name: "den", target: "10.0.0.9", hive_port: 1, hive_id: hiveId(3) }],
      enrolled: [
        { hiveId: hiveId(1), host: "127.0.0.1", port },
        { hiveId: hiveId(3), host: "10.0.0.9", port: 2 },
      ],
    });
    const found = await nearby.look();
    expect(asked).toEqual([]);
    expect(found.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "attic enrolled",
      "cellar no_hive",
      "den enrolled",
    ]);
  });

  it("shows a hive that announces itself, and merges it with the machine that is written down", async () => {
    const { nearby } = setting({
      hivesConf: entry("attic", await closedPort()),
      announced: [
        { hiveId: hiveId(1), name: "attic", version: "1.2.3", address: "127.0.0.1", port: 7900 },
        { hiveId: hiveId(2), name: "garage", version: "1.0.0", address: "10.0.0.4", port: 7835 },
      ],
    });
    expect(nearby.list().map(({ name }) => name)).toEqual(["attic", "garage"]);
    expect(await nearby.look()).toMatchObject([
      { name: "attic", state: "not_adopted", hive_port: 7900, hive_id: hiveId(1), sources: ["hives_conf", "mdns"] },
      { name: "garage", state: "not_adopted", target: null, address: "10.0.0.4", sources: ["mdns"], checked_at: null },
    ]);
  });

  it("goes on when hives.conf is broken, and says so", async () => {
    const { nearby, lines } = setting({ sshConfig: "Host attic\n  HostName 127.0.0.1\n", hivesConf: "[[hive]]\n" });
    expect(await nearby.look()).toMatchObject([{ name: "attic" }]);
    expect(lines[0]).toBe("nearby: hives.conf cannot be read");
  });

  it("is the same look for all who ask meanwhile", async () => {
    const asked: string[] = [];
    const { nearby } = setting({ hivesConf: entry("attic", await aHive(1, asked)) });
    await Promise.all([nearby.look(), nearby.look(), nearby.look()]);
    expect(asked).toHaveLength(1);
    await nearby.look();
    expect(asked).toHaveLength(2);
  });
});

describe("a probe", () => {
  it.each<[string, RequestListener]>([
    ["another program", (_, response) => response.end('{"status":"ok"}')],
    ["an error", (_, response) => response.writeHead(500).end(health(1))],
    ["a redirect", (_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/health" }).end()],
    ["an endless answer", (_, response) => void response.write("x".repeat(40_000))],
    ["a made-up id", (_, response) => response.end(health(1).replace("hive:0", "hive:../"))],
  ])("takes %s for no hive", async (_, listener) => {
    expect(await probeHive("127.0.0.1", await listening(listener))).toMatchObject({ kind: "no_hive" });
  });

  it("says that a hive speaks another version", async () => {
    const port = await listening((_, response) => response.end(health(1).replace('"v1"', '"v9"')));
    expect(await probeHive("127.0.0.1", port)).toMatchObject({ kind: "no_hive", problem: /speaks v9/u });
  });

  it("takes what speaks no HTTP for no hive", async () => {
    const server = createTcpServer((socket) => socket.end("SSH-2.0-x\r\n")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => {
      server.close();
    });
    expect(await probeHive("127.0.0.1", (server.address() as AddressInfo).port)).toMatchObject({ kind: "no_hive" });
  });

  it("of a machine that is not there says so", async () => {
    expect(await probeHive("no-such-machine.invalid", 7835)).toMatchObject({ kind: "unreachable" });
  });
});

it("every finding is a sentence", () => {
  const machine = nearbyMachineSchema.parse({
    name: "attic",
    target: null,
    address: null,
    hive_port: null,
    sources: ["mdns"],
    state: "unknown",
    hive_id: null,
    version: null,
    checked_at: null,
    problem: null,
  });
  for (const state of nearbyMachineSchema.shape.state.options)
    expect(inWords({ ...machine, state })).toMatch(/^attic .*[.]$/u);
});
