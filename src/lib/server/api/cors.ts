import type { IncomingMessage, ServerResponse } from "node:http";
import { isApiPath } from "./page-guard.ts";

const daySeconds = 86_400;
const exposed = "x-request-id, x-rbee-hive, retry-after, server-timing";

/**
 * Lets pages of the allowed origins call the API with a key; `*` allows every page. Cookies never count for them, since
 * no answer allows credentials. Answers a browser's question beforehand and gives true; other requests only get their
 * headers.
 */
export function allowOrigins(origins: readonly string[], request: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = request.headers;
  if (origins.length === 0 || origin === undefined) return false;
  const path = /^[^?#]*/u.exec(request.url ?? "")?.[0] ?? "";
  if (!isApiPath(path)) return false;
  const any = origins.includes("*");
  if (!any) response.appendHeader("vary", "origin");
  if (!any && !origins.includes(origin)) return false;
  response.setHeader("access-control-allow-origin", any ? "*" : origin);
  response.setHeader("access-control-expose-headers", exposed);
  const method = request.headers["access-control-request-method"];
  if (request.method !== "OPTIONS" || method === undefined) return false;
  response.writeHead(204, {
    "access-control-allow-methods": "GET, POST, PATCH, DELETE",
    "access-control-allow-headers": String(
      request.headers["access-control-request-headers"] ?? "authorization, content-type",
    ),
    "access-control-max-age": String(daySeconds),
  });
  response.end();
  return true;
}
