import type { RequestEvent } from "@sveltejs/kit";
import type { ClientInfo } from "#lib/server/accounts/index.ts";
import { isLoopback, isLoopbackHost, senderAddress } from "#lib/server/network/index.ts";

const forwardingHeaders = ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "via"];

/**
 * Where a request comes from. A request that a proxy on this machine passed on is not from this machine. A page of
 * another site that resolves its name to a loopback address is not either, so the address that was asked for must be
 * a loopback one too.
 */
export function clientAt(facts: {
  /** Address of the connection's other end. */
  peer: string;
  /** The host that the request was sent to, without its port. */
  hostname: string;
  header: (name: string) => string | null;
}): ClientInfo {
  const { peer, hostname, header } = facts;
  const forwarded = forwardingHeaders.some((name) => header(name) !== null);
  return {
    address: senderAddress(peer, header("x-forwarded-for")),
    userAgent: header("user-agent"),
    loopback: isLoopback(peer) && !forwarded && isLoopbackHost(hostname),
  };
}

/** Where a request to SvelteKit comes from. */
export function clientInfo({ request, url, getClientAddress }: RequestEvent): ClientInfo {
  return clientAt({
    peer: getClientAddress(),
    hostname: url.hostname,
    header: (name) => request.headers.get(name),
  });
}
