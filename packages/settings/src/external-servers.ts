import * as z from "zod";

/** A server to look at, as a person named it. */
export interface NamedServer {
  /** Null when it was given none. */
  readonly name: string | null;
  /** Without a slash at the end, and without the `/v1` that its API begins with. */
  readonly url: string;
}

/** Which servers a hive looks at. */
export interface ExternalServersSetting {
  /** Whether those that usually run on a machine are looked for. */
  readonly usual: boolean;
  readonly named: readonly NamedServer[];
}

const wrong = "must be auto, off, or a list of URLs such as workshop=http://127.0.0.1:9999";

function serverOf(text: string): NamedServer | null {
  const [, name, address = ""] = /^(?:([^=/:]{1,64})=)?(.*)$/u.exec(text) ?? [];
  if (!URL.canParse(address)) return null;
  const { protocol, username, password, search, hash, origin, pathname } = new URL(address);
  if (protocol !== "http:" && protocol !== "https:") return null;
  if (username !== "" || password !== "" || search !== "" || hash !== "") return null;
  const path = pathname.replace(/\/+$/u, "").replace(/\/v1$/u, "");
  return { name: name?.trim() ?? null, url: `${origin}${path}` };
}

/** What a value of RBEE_EXTERNAL_SERVERS means; null when it means nothing. */
export function externalServersOf(text: string): ExternalServersSetting | null {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0) return null;
  if (parts.length === 1 && parts[0] === "off") return { usual: false, named: [] };
  const named: NamedServer[] = [];
  for (const part of parts.filter((one) => one !== "auto")) {
    const server = serverOf(part);
    if (server === null) return null;
    named.push(server);
  }
  return { usual: parts.includes("auto"), named };
}

/** The setting's text, checked: a list in the file, text with commas elsewhere. */
export const externalServersText = z
  .union([z.array(z.string()).transform((parts) => parts.join(",")), z.string()], { error: wrong })
  .refine((text) => externalServersOf(text) !== null, wrong);
