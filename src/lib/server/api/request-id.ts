import { randomUUID } from "node:crypto";

const acceptable = /^[\w.:-]{1,128}$/u;

/** The id of a request: the client's own, from its `X-Request-Id` header, when it is a plain one; else a new one. */
export function requestIdOf(header: string | null | undefined): string {
  return typeof header === "string" && acceptable.test(header) ? header : randomUUID();
}
