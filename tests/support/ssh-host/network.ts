import { run, tryRun } from "./run.ts";

/** A bridge of this run's own, with one link per test host. */
export interface TestNetwork {
  /** The address by which its hosts reach this machine. */
  readonly address: string;
  /** A host's network namespace and address on a link of its own. */
  join(name: string): Promise<NetworkPlace>;
  remove(): Promise<void>;
}
export interface NetworkPlace {
  readonly namespace: string;
  readonly address: string;
  /** Pulls the cable, or plugs it in again. */
  setLink(up: boolean): Promise<void>;
  /** Limits what the host receives. Says false where the kernel has no such queue. */
  limitRate(kbitPerS: number): Promise<boolean>;
}

const prefix = "rbeessh";
const owner = `rbee-tests:${process.pid}`;

/** Makes a bridge with the first free network 10.77.N.0/24; its name is the lock that keeps runs apart. */
export async function createNetwork(): Promise<TestNetwork> {
  await sweep();
  const number = await claimBridge();
  const bridge = `${prefix}${number}`;
  const places: NetworkPlace[] = [];
  await run("ip", ["link", "set", bridge, "alias", owner]);
  await run("ip", ["address", "add", `10.77.${number}.1/24`, "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);
  return {
    address: `10.77.${number}.1`,
    async join() {
      const index = places.length + 2;
      const namespace = `${bridge}-${index}`;
      const [outer, inner] = [`${bridge}v${index}`, `${bridge}w${index}`];
      const address = `10.77.${number}.${index}`;
      const place: NetworkPlace = {
        namespace,
        address,
        async setLink(up) {
          await run("ip", ["link", "set", outer, up ? "up" : "down"]);
        },
        async limitRate(kbitPerS) {
          const queue = ["root", "tbf", "rate", `${kbitPerS}kbit`, "burst", "16kb", "latency", "50ms"];
          return run("tc", ["qdisc", "replace", "dev", outer, ...queue]).then(
            () => true,
            () => false,
          );
        },
      };
      places.push(place);
      await run("ip", ["netns", "add", namespace]);
      await run("ip", ["link", "add", outer, "type", "veth", "peer", "name", inner]);
      await run("ip", ["link", "set", inner, "netns", namespace]);
      await run("ip", ["link", "set", outer, "master", bridge, "up"]);
      const inside = (...args: string[]) => run("ip", ["-n", namespace, ...args]);
      await inside("address", "add", `${address}/24`, "dev", inner);
      await inside("link", "set", inner, "up");
      await inside("link", "set", "lo", "up");
      await inside("route", "add", "default", "via", `10.77.${number}.1`);
      return place;
    },
    async remove() {
      for (const { namespace } of places) await tryRun("ip", ["netns", "del", namespace]);
      for (let index = 2; index < places.length + 2; index += 1)
        await tryRun("ip", ["link", "del", `${bridge}v${index}`]);
      await tryRun("ip", ["link", "del", bridge]);
    },
  };
}

async function claimBridge(): Promise<number> {
  let last: unknown;
  for (let number = 0; number < 64; number += 1) {
    try {
      await run("ip", ["link", "add", `${prefix}${number}`, "type", "bridge"]);
      return number;
    } catch (error) {
      last = error;
    }
  }
  throw new Error("no bridge could be made", { cause: last });
}

/** Removes what a run left behind that was killed: bridges of ours whose process is gone, and what hangs on them. */
async function sweep(): Promise<void> {
  const links = JSON.parse(await run("ip", ["-j", "link", "show"])) as { ifname: string; ifalias?: string }[];
  const namespaces = (await run("ip", ["netns", "list"])).split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const { ifname, ifalias } of links) {
    const pid = /^rbee-tests:(\d+)$/.exec(ifalias ?? "")?.[1];
    if (pid === undefined || !ifname.startsWith(prefix) || isRunning(Number(pid))) continue;
    for (const name of namespaces.filter((name) => name.startsWith(`${ifname}-`)))
      await tryRun("ip", ["netns", "del", name]);
    for (const link of links.filter((link) => link.ifname.startsWith(`${ifname}v`)))
      await tryRun("ip", ["link", "del", link.ifname]);
    await tryRun("ip", ["link", "del", ifname]);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
