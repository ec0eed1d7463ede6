import { administrator, type Household } from "./household.ts";

/** Cookies as a browser would send them back. */
function cookieOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
}

async function submit(household: Household, path: string, fields: Record<string, string>): Promise<string> {
  const response = await fetch(`${household.url}${path}`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: household.url, "content-type": "application/x-www-form-urlencoded", accept: "text/html" },
    body: new URLSearchParams(fields),
  });
  if (response.status !== 303)
    throw new Error(`POST ${path} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return cookieOf(response);
}

/** Signs in through the page's own form; gives the session cookie. */
export function signIn(
  household: Household,
  person: { name: string; password: string } = administrator,
): Promise<string> {
  return submit(household, "/login", person);
}

/** Invites somebody, accepts the invitation and makes a key of theirs. */
export async function invitedMember(household: Household, name: string): Promise<{ cookie: string; key: string }> {
  const { path } = await household.admin.createInvitation({ body: {} });
  const cookie = await submit(household, path, { name, password: `${name} likes bees 42` });
  const response = await fetch(`${household.url}/v1/keys`, {
    method: "POST",
    headers: { cookie, origin: household.url, "content-type": "application/json" },
    body: JSON.stringify({ name: "test" }),
  });
  if (response.status !== 201) throw new Error(`making a key answered ${response.status}: ${await response.text()}`);
  return { cookie, key: ((await response.json()) as { key: string }).key };
}
