import { RbeeError } from "@rbee/contract";
import type { RequestEvent } from "@sveltejs/kit";
import { errorResponse } from "./endpoint.ts";

/** Answers any method at an address of the API where nothing lives. */
export function nothingHere({ url, locals }: RequestEvent): Response {
  const error = new RbeeError("not_found", `Nothing lives at ${url.pathname}.`, {
    suggestion: "The endpoints are listed at /openapi.json.",
  });
  return errorResponse(error, locals.requestId, url.pathname);
}

/** SvelteKit's own refusal of a method is text; the API's is JSON. `Allow` is kept. */
export function wrongMethod(
  { method, pathname, allow }: { method: string; pathname: string; allow: string | null },
  requestId: string,
): Response {
  const error = new RbeeError(
    "method_not_allowed",
    `${pathname} does not take ${method}.`,
    allow === null ? {} : { suggestion: `It takes ${allow}.` },
  );
  const response = errorResponse(error, requestId, pathname);
  if (allow !== null) response.headers.set("allow", allow);
  return response;
}
