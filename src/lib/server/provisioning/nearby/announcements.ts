import { announcementSchema, hiveServiceType } from "@rbee/contract";
import type { Bonjour, Browser, Service } from "bonjour-service";
import type { Logger } from "pino";
import { plainAddress } from "#lib/server/network/index.ts";
import { mdnsPort, openMulticast, ownNetworks } from "./multicast.ts";

const lookEveryMs = 10_000;
/** What was not heard of for two rounds is not there any more. */
const roundMs = 60_000;
/** Far above any household; whoever announces more is up to no good. */
const mostHives = 200;
const partingMs = 500;

/** A hive that told the network of itself. Anybody there may say so: it is shown, never acted on. */
export interface AnnouncedHive {
  readonly hiveId: string;
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly port: number;
}

/** The hives that announce themselves on the networks of this machine. */
export interface Announcements {
  start(): void;
  /** Each hive once, as it was last heard of. */
  list(): AnnouncedHive[];
  /** Asks the networks again. */
  ask(): void;
  stop(): Promise<void>;
}

export interface AnnouncementsOptions {
  readonly log: Logger;
  readonly networks?: () => readonly string[];
  /** For tests, which have a port of their own. */
  readonly port?: number;
}

interface Network {
  readonly multicast: Bonjour;
  browser: Browser;
}

/** Listens for hives. Trouble with a network is one line in the log, and never more than that. */
export function createAnnouncements({
  log,
  networks = ownNetworks,
  port = mdnsPort,
}: AnnouncementsOptions): Announcements {
  const told = new Set<string>();
  let open: Network[] = [];
  let openOn = "";
  let current = new Map<string, AnnouncedHive>();
  let before = new Map<string, AnnouncedHive>();
  let timer: NodeJS.Timeout | undefined;
  let roundEndsAt = 0;

  const tell = (key: string, message: string, fields: object) => {
    if (told.has(key)) return;
    told.add(key);
    log.info(fields, message);
  };
  const problemOn = (address: string) => (error: unknown) => {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    const why = error instanceof Error ? error.message : String(error);
    tell(code, `hives that announce themselves cannot be heard on this network: ${why}`, { address, code });
  };

  const heard = (service: Service, browser: Browser) => {
    const hive = announcedHive(service);
    if (hive === undefined) return;
    if (current.size >= mostHives && !current.has(hive.hiveId)) {
      // It would go on to remember every one of them.
      browser.stop();
      tell("too many", "too many hives announce themselves; most are not looked at", { most: mostHives });
      return;
    }
    current.set(hive.hiveId, hive);
  };
  const gone = (service: Service) => {
    const hive = announcedHive(service);
    if (hive === undefined) return;
    current.delete(hive.hiveId);
    before.delete(hive.hiveId);
  };

  const browse = (multicast: Bonjour): Browser => {
    const browser = multicast.find({ type: hiveServiceType });
    browser.on("up", (service) => {
      heard(service, browser);
    });
    browser.on("srv-update", (service) => {
      heard(service, browser);
    });
    browser.on("txt-update", (service) => {
      heard(service, browser);
    });
    browser.on("down", gone);
    return browser;
  };

  const close = async () => {
    const closing = open;
    open = [];
    await Promise.all(closing.map(closed));
  };
  const openAll = () => {
    void close();
    const addresses = networks();
    openOn = addresses.join(" ");
    for (const address of addresses) {
      const problem = problemOn(address);
      try {
        const multicast = openMulticast(address, port, problem);
        open.push({ multicast, browser: browse(multicast) });
      } catch (error) {
        problem(error);
      }
    }
  };
  /** A new round hears everybody anew, so that those who left without a word are forgotten. */
  const nextRound = () => {
    before = current;
    current = new Map();
    roundEndsAt = performance.now() + roundMs;
    for (const network of open) {
      network.browser.stop();
      network.browser = browse(network.multicast);
    }
  };
  const tick = () => {
    if (networks().join(" ") !== openOn) openAll();
    if (performance.now() >= roundEndsAt) nextRound();
  };

  return {
    start() {
      if (timer !== undefined) return;
      roundEndsAt = performance.now() + roundMs;
      openAll();
      timer = setInterval(tick, lookEveryMs).unref();
    },
    list: () => [...new Map([...before, ...current]).values()],
    ask() {
      for (const { browser } of open) browser.update();
    },
    async stop() {
      clearInterval(timer);
      await close();
    },
  };
}

/** Checks every word of it, since it came from anybody. */
function announcedHive(service: Service): AnnouncedHive | undefined {
  const txt = announcementSchema.safeParse(service.txt);
  const { port, referer, addresses = [] } = service;
  // Where it came from is surer than what it says, and tells which of the machine's addresses is in this network.
  const address = plainAddress(referer?.address ?? addresses[0] ?? "");
  if (!txt.success || address === "" || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const { hive_id: hiveId, version } = txt.data;
  const mark = ` (${hiveId.slice("hive:".length, "hive:".length + 8)})`;
  const plain = String(service.name).replaceAll(/\p{C}/gu, "").slice(0, 80);
  const name = plain.endsWith(mark) ? plain.slice(0, -mark.length) : plain;
  return { hiveId, name: name === "" ? address : name, version: version.replaceAll(/\p{C}/gu, ""), address, port };
}

async function closed({ multicast, browser }: Network): Promise<void> {
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, partingMs);
  browser.stop();
  try {
    multicast.destroy(done.resolve);
  } catch {
    done.resolve();
  }
  await done.promise;
  clearTimeout(timer);
}
