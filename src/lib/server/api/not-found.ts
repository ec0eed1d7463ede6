import { RbeeError } from "@rbee/contract";
import type { RequestEvent } from "@sveltejs/kit";

/** Answers any method at an address of the API where nothing lives. */
export function nothingHere({ url }: RequestEvent): Response {
  return new RbeeError("not_found", `Nothing lives at ${url.pathname}.`, {
    suggestion: "The endpoints are listed at /openapi.json.",
  }).toResponse();
}

/** SvelteKit's own refusal of a method is text; the API's is JSON. `Allow` is kept. */
export function wrongMethod(method: string, pathname: string, allow: string | null): Response {
  const response = new RbeeError(
    "method_not_allowed",
    `${pathname} does not take ${method}.`,
    allow === null ? {} : { suggestion: `It takes ${allow}.` },
  ).toResponse();
  if (allow !== null) response.headers.set("allow", allow);
  return response;
}
