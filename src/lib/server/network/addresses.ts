import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { createSocket } from "node:dgram";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** An address as it is shown and compared: IPv4 without its IPv6 wrapping, IPv6 without a zone. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/u, "");
  return bare.toLowerCase().startsWith("::ffff:") && isIP(bare.slice(7)) === 4 ? bare.slice(7) : bare;
}

/** The addresses that this machine itself sends from nearly always: no need to look further. */
const usualLoopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

/** Whether an address belongs to this very machine's loopback interface. */
export function isLoopback(address: string): boolean {
  if (usualLoopback.has(address)) return true;
  const plain = plainAddress(address);
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 6 ? "ipv6" : "ipv4");
}

/** Whether a host of a URL means this very machine: `localhost`, 127.x, ::1. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/gu, "").toLowerCase();
  return bare === "localhost" || bare.endsWith(".localhost") || isLoopback(bare);
}

/** A host for a URL: IPv6 addresses get their brackets. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/**
 * The address of the interface that routes to a host, or null when there is no route. Nothing is sent: connecting a
 * UDP socket only makes the kernel choose.
 */
export function addressTowards(host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
    const done = (address: string | null) => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => {
      done(null);
    });
    socket.connect(9, host, (error?: Error | null) => {
      done(error ? null : plainAddress(socket.address().address));
    });
  });
}

/** The address by which other machines of the network probably reach this one; null on a machine without a network. */
export async function lanAddress(): Promise<string | null> {
  // TEST-NET-1 is never routed further than the default gateway, so this asks for the default route's interface.
  const routed = await addressTowards("192.0.2.1");
  if (routed !== null && !isLoopback(routed)) return routed;
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? null;
}

/**
 * The address a request came from. One that a proxy on this machine passed on came from the address that this proxy
 * saw, the last of `X-Forwarded-For`; other machines' word for it does not count.
 */
export function senderAddress(peer: string, forwardedFor: string | null | undefined): string {
  const plain = plainAddress(peer);
  if (forwardedFor === null || forwardedFor === undefined) return plain;
  const seenByProxy = forwardedFor.split(",").at(-1)?.trim() ?? "";
  return isLoopback(plain) && isIP(plainAddress(seenByProxy)) !== 0 ? plainAddress(seenByProxy) : plain;
}
