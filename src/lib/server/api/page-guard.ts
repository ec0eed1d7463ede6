import { redirect } from "@sveltejs/kit";

/** Pages that a person sees before signing in; every other page needs somebody. */
const publicPages = new Set(["/login", "/setup", "/invite/[code]"]);
const apiRoots = /^\/(?:v1|v2|api|tokenize|detokenize|health|metrics|openapi\.json)(?:\/|$)/u;

/** Whether a path belongs to the HTTP API, whose answers are always JSON. */
export function isApiPath(pathname: string): boolean {
  return apiRoots.test(pathname);
}

/** Where a stranger signs in to come back to this page afterwards; not to a form's action, which only forms ask for. */
export function signInAddress({ pathname, searchParams }: URL): string {
  const query = new URLSearchParams([...searchParams].filter(([name]) => !name.startsWith("/"))).toString();
  return `/login?next=${encodeURIComponent(query === "" ? pathname : `${pathname}?${query}`)}`;
}

/**
 * Sends strangers to set-up or sign-in before any page's own code runs. Pages are public by name only, so a new page
 * is guarded without anybody thinking of it.
 */
export function guardPage(page: { routeId: string | null; url: URL; signedIn: boolean; setUp: boolean }): void {
  const { routeId, url, signedIn, setUp } = page;
  if (routeId === null || signedIn || isApiPath(url.pathname)) return;
  const bare = routeId.replaceAll(/\/\([^)]+\)/gu, "");
  if (publicPages.has(bare)) return;
  redirect(303, setUp ? signInAddress(url) : "/setup");
}
