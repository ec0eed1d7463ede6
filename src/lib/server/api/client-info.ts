import type { RequestEvent } from "@sveltejs/kit";
import type { ClientInfo } from "#lib/server/accounts/index.ts";
import { isLoopback, isLoopbackHost, senderAddress } from "#lib/server/network/index.ts";

const forwardingHeaders = ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "via"];

/**
 * Where a request comes from. A request that a proxy on this machine passed on is not from this machine. A page of
 * another site that resolves its name to a loopback address is not either, so the address that was asked for must be
 * a loopback one too.
 */
export function clientInfo({ request, url, getClientAddress }: RequestEvent): ClientInfo {
  const peer = getClientAddress();
  const forwarded = forwardingHeaders.some((name) => request.headers.has(name));
  return {
    address: senderAddress(peer, request.headers.get("x-forwarded-for")),
    userAgent: request.headers.get("user-agent"),
    loopback: isLoopback(peer) && !forwarded && isLoopbackHost(url.hostname),
  };
}
