import { eq } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";
import { addressTowards, isLoopbackHost, lanAddress, urlHost } from "#lib/server/network/index.ts";
import { listensEverywhere, listensLocally } from "#lib/server/startup/index.ts";

const { household } = tables;
const defaultName = "Household";

/** What the household calls itself, and by which addresses it is reached. */
export interface Household {
  name(): string;
  /** Gives it another name; everybody sees it within a second. */
  rename(name: string): void;
  /**
   * Base URL, without `/v1`, that other apps should use: `RBEE_PUBLIC_URL`; else the address on the network when the
   * page was opened on loopback; else the address the page was opened at.
   */
  apiUrl(requestOrigin: string): string;
}

/** What only the queen itself calls. */
export interface HouseholdService extends Household {
  /** The server listens on this port: finds out the address on the network. */
  listening(port: number): Promise<void>;
  /** How other machines reach the queen; null when they cannot. */
  networkUrl(): string | null;
  /** How the machine at `host` reaches the queen; null when it cannot. */
  urlTowards(host: string): Promise<string | null>;
}

export function createHousehold(options: {
  db: Db;
  /** The address the queen was told to listen on. */
  host: string;
  publicUrl: string | undefined;
}): HouseholdService {
  const { db, host, publicUrl } = options;
  let port: number | undefined;
  let lan: string | null = null;
  /** Every snapshot of the fleet tells the name. */
  let known: string | undefined;
  const read = () =>
    db.select({ value: household.value }).from(household).where(eq(household.key, "name")).get()?.value;

  const at = (address: string) => `http://${urlHost(address)}:${port ?? 0}`;
  const networkUrl = () => {
    if (publicUrl !== undefined) return publicUrl;
    if (listensLocally(host)) return null;
    if (!listensEverywhere(host)) return at(host);
    return lan === null ? null : at(lan);
  };

  return {
    name: () => (known ??= read() ?? defaultName),
    rename(name) {
      db.insert(household)
        .values({ key: "name", value: name })
        .onConflictDoUpdate({ target: household.key, set: { value: name } })
        .run();
      known = name;
    },
    apiUrl(requestOrigin) {
      if (publicUrl !== undefined) return publicUrl;
      const url = URL.parse(requestOrigin);
      return url !== null && isLoopbackHost(url.hostname) ? (networkUrl() ?? url.origin) : (url?.origin ?? at(host));
    },
    async listening(actual) {
      port = actual;
      lan = await lanAddress();
    },
    networkUrl,
    async urlTowards(target) {
      if (publicUrl !== undefined) return publicUrl;
      if (listensLocally(host) && !isLoopbackHost(target)) return null;
      if (!listensEverywhere(host)) return at(host);
      const address = await addressTowards(target);
      return address === null ? null : at(address);
    },
  };
}
