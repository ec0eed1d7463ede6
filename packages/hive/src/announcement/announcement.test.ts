import { createSocket } from "node:dgram";
import { announcementSchema, hiveServiceType } from "@rbee/contract";
import type { Service } from "bonjour-service";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { hiveProcess } from "../testing/hive-process.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { Announcement, type AnnouncedHive } from "./announcement.ts";
import { mdnsPort, openMulticast } from "./multicast.ts";

const hive = (name: string, hivePort = 7835): AnnouncedHive => ({
  hiveId: `hive:${crypto.randomUUID()}`,
  name,
  version: "1.2.3",
  port: hivePort,
});

/** A port that nobody else uses: neither this machine's own responder nor a suite that runs at the same time. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "0.0.0.0", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}
const port = await freeUdpPort();

/** Everything that announces itself as a hive on loopback, as it is now. */
function listener(at = port): () => Service[] {
  const multicast = openMulticast("127.0.0.1", at, () => {});
  const browser = multicast.find({ type: hiveServiceType });
  onTestFinished(
    () =>
      new Promise((resolve) => {
        browser.stop();
        multicast.destroy(resolve);
      }),
  );
  return () => browser.services;
}

function announcement(networks = ["127.0.0.1"]) {
  const { log, lines } = recordedLog();
  const announced = new Announcement({ host: "127.0.0.1", log, networks: () => networks, port });
  onTestFinished(() => announced.withdraw());
  return { announced, lines, networks };
}

const ofHive = (services: Service[], { hiveId }: AnnouncedHive) =>
  services.find(({ txt }) => announcementSchema.safeParse(txt).data?.hive_id === hiveId);

it("tells id, version and port, and takes them back", async () => {
  const services = listener();
  const { announced, lines } = announcement();
  const attic = hive("Vince's attic. The 2nd", 7901);
  announced.announce(attic);
  const found = await eventually("the announcement", () => ofHive(services(), attic));
  expect(found).toMatchObject({ port: 7901, type: hiveServiceType });
  expect(found.name).toBe(`Vince's attic- The 2nd (${attic.hiveId.slice(5, 13)})`);
  expect(found.txt).toEqual({ hive_id: attic.hiveId, version: "1.2.3", api_version: "v1" });
  const before = performance.now();
  await announced.withdraw();
  expect(performance.now() - before).toBeLessThan(600);
  await eventually("it is gone", () => ofHive(services(), attic) === undefined);
  expect(lines).toEqual([]);
});

it("tells of another name and port, and takes the former back", async () => {
  const services = listener();
  const { announced } = announcement();
  const attic = hive("attic");
  announced.announce(attic);
  await eventually("the announcement", () => ofHive(services(), attic));
  announced.announce({ ...attic, name: "cellar", port: 7999 });
  await eventually("the new one alone", () => {
    const all = services().filter((service) => service.txt?.hive_id === attic.hiveId);
    return all.length === 1 && all[0]?.port === 7999 && all[0].name.startsWith("cellar");
  });
});

it("keeps a name within what DNS can carry, cut between characters", async () => {
  const services = listener();
  const { announced } = announcement();
  const attic = hive("🐝".repeat(64));
  announced.announce(attic);
  const found = await eventually("the announcement", () => ofHive(services(), attic));
  expect(found.name).toBe(`${"🐝".repeat(13)} (${attic.hiveId.slice(5, 13)})`);
});

it("says once, in one line, that a network takes no multicast, and lives on", async () => {
  const holder = createSocket({ type: "udp4", reuseAddr: false });
  await new Promise<void>((resolve, reject) => {
    holder.once("error", reject);
    holder.bind(port, "0.0.0.0", resolve);
  });
  onTestFinished(() => {
    holder.close();
  });
  const { announced, lines } = announcement();
  announced.announce(hive("attic"));
  await eventually("the line", () => lines.length > 0);
  announced.announce(hive("cellar"));
  announced.announce(hive("garage"));
  const before = performance.now();
  await announced.withdraw();
  expect(performance.now() - before).toBeLessThan(600);
  expect(lines.map(({ msg }) => msg)).toEqual([
    expect.stringMatching(/^The hive cannot announce itself .*EADDRINUSE/u),
  ]);
});

it("is not brought down by what others send", async () => {
  const services = listener();
  const { announced } = announcement();
  const attic = hive("attic");
  announced.announce(attic);
  await eventually("the announcement", () => ofHive(services(), attic));
  const stranger = createSocket("udp4");
  for (const junk of [Buffer.alloc(0), Buffer.from("junk"), Buffer.alloc(1_400, 0xff), Buffer.alloc(12, 0x80)])
    await new Promise((resolve) => stranger.send(junk, port, "127.0.0.1", resolve));
  stranger.close();
  const second = hive("second");
  const { announced: other } = announcement();
  other.announce(second);
  await eventually("another announcement", () => ofHive(services(), second));
});

it("a hive process announces itself, and ends as fast with it as without", { timeout: 30_000 }, async () => {
  const services = listener(mdnsPort);
  const process = hiveProcess({ args: ["--name", "attic"], env: { RBEE_MDNS: "true" } });
  const client = await process.client();
  const { hive_id: hiveId } = await client.health();
  const isIt = ({ txt }: Service) => announcementSchema.safeParse(txt).data?.hive_id === hiveId;
  await eventually("its announcement", () => services().some(isIt));
  const before = performance.now();
  process.child.kill("SIGTERM");
  expect(await process.ended).toBe(0);
  expect(performance.now() - before).toBeLessThan(2_500);
  await eventually("the announcement is gone", () => !services().some(isIt));
});
