import { createSocket } from "node:dgram";
import { hiveServiceType } from "@rbee/contract";
import { pino } from "pino";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createAnnouncements } from "./announcements.ts";
import { openMulticast } from "./multicast.ts";

const newHiveId = () => `hive:${crypto.randomUUID()}`;

/** A port that nobody else uses: neither this machine's own responder nor a suite that runs at the same time. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "0.0.0.0", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}
const port = await freeUdpPort();

/** A queen that listens on loopback. */
function queen() {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) });
  const announcements = createAnnouncements({ log, networks: () => ["127.0.0.1"], port });
  announcements.start();
  onTestFinished(() => announcements.stop());
  const heard = (hiveId: string) => announcements.list().find((hive) => hive.hiveId === hiveId);
  return { announcements, lines, heard };
}

/** Somebody who announces whatever they like. */
function somebody() {
  const multicast = openMulticast("127.0.0.1", port, () => {});
  onTestFinished(async () => {
    for (const service of services) service.destroyed = true;
    await new Promise<void>((resolve) => {
      multicast.destroy(resolve);
    });
  });
  const services: ReturnType<typeof multicast.publish>[] = [];
  return {
    announce(txt: Record<string, string>, { name = "attic", hivePort = 7835 } = {}) {
      services.push(
        multicast.publish({ name, type: hiveServiceType, port: hivePort, txt, probe: false, host: "x.local" }),
      );
    },
    withdraw: () =>
      new Promise<void>((resolve) => {
        multicast.unpublishAll(resolve);
      }),
  };
}

const words = (hiveId: string) => ({ hive_id: hiveId, version: "1.2.3", api_version: "v1" });

describe("hives that announce themselves", () => {
  it("are heard with the address that they speak from, and are gone when they say so", async () => {
    const { heard } = queen();
    const hiveId = newHiveId();
    const { announce, withdraw } = somebody();
    announce(words(hiveId), { name: `attic (${hiveId.slice(5, 13)})`, hivePort: 7901 });
    await vi.waitFor(() => {
      expect(heard(hiveId)).toMatchObject({ name: "attic", version: "1.2.3", port: 7901 });
    });
    expect(heard(hiveId)?.address).toMatch(/^\d+\.\d+\.\d+\.\d+$/u);
    await withdraw();
    await vi.waitFor(() => {
      expect(heard(hiveId)).toBeUndefined();
    });
  });

  it("are not believed what does not look right", async () => {
    const { announcements, heard } = queen();
    const { announce } = somebody();
    const good = newHiveId();
    announce({ ...words(newHiveId()), hive_id: "hive:../../etc" }, { name: "bad-id" });
    announce({ ...words(newHiveId()), version: "9".repeat(200) }, { name: "long-version" });
    announce({ hive_id: newHiveId() }, { name: "half" });
    announce(words(good), { name: "bell\u0007\u202Eattic" });
    await vi.waitFor(() => {
      expect(heard(good)).toBeDefined();
    });
    expect(heard(good)?.name).toBe("bellattic");
    const names = announcements.list().map(({ name }) => name);
    for (const name of ["bad-id", "long-version", "half"]) expect(names).not.toContain(name);
  });

  it("may send junk without harm", async () => {
    const { heard, lines } = queen();
    const stranger = createSocket("udp4");
    for (const junk of [Buffer.alloc(0), Buffer.from("junk"), Buffer.alloc(1_400, 0xff), Buffer.alloc(12, 0x84)])
      await new Promise((resolve) => stranger.send(junk, port, "127.0.0.1", resolve));
    stranger.close();
    const hiveId = newHiveId();
    somebody().announce(words(hiveId));
    await vi.waitFor(() => {
      expect(heard(hiveId)).toBeDefined();
    });
    expect(lines).toEqual([]);
  });

  it("are remembered up to a number, however many there are", async () => {
    const { announcements, lines } = queen();
    const { announce } = somebody();
    // No faster than the socket's buffer takes them.
    for (let number = 0; number < 260; number += 1) {
      announce(words(newHiveId()), { name: `flood-${number}` });
      if (number % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(
      () => {
        expect(lines).toEqual(["too many hives announce themselves; most are not looked at"]);
      },
      // Those that were lost are announced again after three seconds.
      { timeout: 8_000 },
    );
    expect(announcements.list().length).toBeLessThanOrEqual(200);
  });
});

it("a port that is taken is one line, and never more", async () => {
  const holder = createSocket({ type: "udp4", reuseAddr: false });
  await new Promise<void>((resolve, reject) => {
    holder.once("error", reject);
    holder.bind(port, "0.0.0.0", resolve);
  });
  onTestFinished(() => {
    holder.close();
  });
  const { announcements, lines } = queen();
  await vi.waitFor(() => {
    expect(lines).toHaveLength(1);
  });
  announcements.ask();
  announcements.ask();
  const before = performance.now();
  await announcements.stop();
  expect(performance.now() - before).toBeLessThan(600);
  expect(lines).toEqual([expect.stringMatching(/cannot be heard on this network: .*EADDRINUSE/u)]);
});
