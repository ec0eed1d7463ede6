import type { Authentication, ClientInfo } from "#lib/server/accounts/index.ts";
import { currentQueen } from "#lib/server/queen.ts";
import { refuseCrossSite } from "./origin.ts";

/**
 * Who makes a request. Bad credentials are told as a refusal, which the endpoint's guard throws.
 * @throws {RbeeError} `forbidden` for a change that another site's page makes a browser send.
 */
export async function identify(
  request: {
    method: string;
    /** The host that the request was sent to, with its port. */
    host: string;
    header: (name: string) => string | null;
    /** Value of the session cookie. */
    session: string | undefined;
  },
  client: ClientInfo,
): Promise<Authentication> {
  const { method, host, header, session } = request;
  const authorization = header("authorization");
  const apiKey = header("x-api-key");
  refuseCrossSite({
    method,
    host,
    origin: header("origin"),
    fetchSite: header("sec-fetch-site"),
    hasSessionCookie: session !== undefined,
    hasToken: authorization !== null || apiKey !== null,
  });
  return currentQueen().authenticate({ authorization, apiKey, session }, client);
}
