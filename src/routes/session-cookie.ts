import type { Cookies } from "@sveltejs/kit";
import type { SignedIn } from "#lib/server/queen.ts";

/** Gives the browser its session. `secure` only where the page itself came over https, or a browser would drop it. */
export function keepSession(cookies: Cookies, url: URL, { cookie }: SignedIn): void {
  cookies.set(cookie.name, cookie.value, { ...cookie.attributes, secure: url.protocol === "https:" });
}
