import { RbeeError } from "@rbee/contract";

const reading = new Set(["GET", "HEAD", "OPTIONS"]);

/** What matters about a request for the cross-site check. */
export interface OriginFacts {
  readonly method: string;
  /** The host that the request was sent to, with its port. */
  readonly host: string;
  /** The `Origin` header. */
  readonly origin: string | null;
  /** The `Sec-Fetch-Site` header. */
  readonly fetchSite: string | null;
  readonly hasSessionCookie: boolean;
  /** An API key or token came with it: no browser adds those by itself. */
  readonly hasToken: boolean;
}

/**
 * Refuses a change that another site's page makes a browser send. Only the host is compared: behind a proxy that ends
 * TLS, the scheme that the browser saw may be unknown here.
 * @throws {RbeeError} `forbidden`.
 */
export function refuseCrossSite(facts: OriginFacts): void {
  if (reading.has(facts.method) || facts.hasToken) return;
  const same =
    facts.origin === null
      ? !facts.hasSessionCookie || facts.fetchSite === "same-origin"
      : URL.parse(facts.origin)?.host === facts.host;
  if (same) return;
  throw new RbeeError("forbidden", "This request came from another site.", {
    suggestion: "Open the dashboard at its own address, or use an API key.",
  });
}
