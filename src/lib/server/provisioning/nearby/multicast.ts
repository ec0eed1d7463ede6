import { createSocket, type Socket } from "node:dgram";
import type { EventEmitter } from "node:events";
import { networkInterfaces } from "node:os";
import { Bonjour } from "bonjour-service";

/** The port of multicast DNS. */
export const mdnsPort = 5353;
/** More interfaces than a machine at home has; containers may make dozens. */
const mostInterfaces = 8;

/** This machine's address in each of its networks, and loopback for hives that listen there alone. */
export function ownNetworks(): string[] {
  const all = Object.values(networkInterfaces()).map((list) =>
    (list ?? []).find(({ family, internal }) => family === "IPv4" && !internal),
  );
  const found = all.flatMap((address) => (address === undefined ? [] : [address.address]));
  return [...found.slice(0, mostInterfaces), "127.0.0.1"];
}

/** What the library keeps inside. */
interface InnerMulticast extends EventEmitter {
  send(...values: unknown[]): void;
}

/**
 * Multicast DNS on the network of one address. Whatever goes wrong with its socket or with what arrives there is told
 * to `onProblem` and does no harm: the library would throw it out of an event handler, which ends a process.
 */
export function openMulticast(address: string, port: number, onProblem: (error: unknown) => void): Bonjour {
  const socket = guardedSocket(onProblem);
  // The library's type knows only those of its options that a service has, too.
  const options = { port, interface: address, bind: "0.0.0.0", socket };
  const multicast = new Bonjour(options, onProblem);
  const { mdns } = (multicast as unknown as { server: { mdns: InnerMulticast } }).server;
  // A port that cannot be had is an event of its innermost part, and one without a listener is thrown.
  mdns.on("error", onProblem);
  const send = mdns.send.bind(mdns);
  mdns.send = (...values) => {
    try {
      send(...values);
    } catch (error) {
      onProblem(error);
    }
  };
  return multicast;
}

function guardedSocket(onProblem: (error: unknown) => void): Socket {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const emit = socket.emit.bind(socket) as (event: string, ...values: unknown[]) => boolean;
  socket.emit = (event: string, ...values: unknown[]) => {
    try {
      return emit(event, ...values);
    } catch (error) {
      onProblem(error);
      return true;
    }
  };
  socket.unref();
  return socket;
}
