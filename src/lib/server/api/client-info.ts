import type { RequestEvent } from "@sveltejs/kit";
import type { ClientInfo } from "#lib/server/accounts/index.ts";
import { isLoopback, isLoopbackHost, plainAddress } from "#lib/server/network/index.ts";

const forwardingHeaders = ["x-forwarded-for", "forwarded", "x-real-ip"];

/**
 * Where a request comes from. A request that a proxy on this machine passed on is not from this machine; its address
 * is the one that this proxy saw. A page of another site that resolves its name to a loopback address is not either,
 * so the address that was asked for must be a loopback one too.
 */
export function clientInfo({ request, url, getClientAddress }: RequestEvent): ClientInfo {
  const peer = plainAddress(getClientAddress());
  const local = isLoopback(peer);
  const forwarded = forwardingHeaders.some((name) => request.headers.has(name));
  const seenByProxy = request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
  return {
    address: local && seenByProxy !== undefined && seenByProxy !== "" ? plainAddress(seenByProxy) : peer,
    userAgent: request.headers.get("user-agent"),
    loopback: local && !forwarded && isLoopbackHost(url.hostname),
  };
}
