import { apiVersion, hiveServiceType, type HiveAnnouncement } from "@rbee/contract";
import type { Bonjour, Service } from "bonjour-service";
import type { Logger } from "../log.ts";
import { mdnsPort, networksOf, openMulticast } from "./multicast.ts";

const lookEveryMs = 10_000;
/** A stop never waits longer than this for the last word to be sent. */
const partingMs = 500;
/** A label of DNS has at most 63 bytes. */
const labelBytes = 63;

export interface AnnouncedHive {
  readonly hiveId: string;
  readonly name: string;
  readonly version: string;
  readonly port: number;
}

export interface AnnouncementOptions {
  /** The address that the hive listens on: only networks from which it can be reached hear of it. */
  readonly host: string;
  readonly log: Logger;
  /** The machine's addresses; they are looked at again and again, for networks come and go. */
  readonly networks?: (host: string) => readonly string[];
  /** For tests, which have a port of their own. */
  readonly port?: number;
}

/** Tells the local network by multicast DNS that a hive is here. It never delays or ends anything. */
export class Announcement {
  readonly #options: AnnouncementOptions;
  readonly #told = new Set<string>();
  #open: { multicast: Bonjour; service: Service }[] = [];
  #networks = "";
  #hive: AnnouncedHive | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AnnouncementOptions) {
    this.#options = options;
  }

  /** Announces the hive; called again with another name or port, it withdraws the former first. */
  announce(hive: AnnouncedHive): void {
    const { hiveId, name, version, port } = this.#hive ?? {};
    if (hive.hiveId === hiveId && hive.name === name && hive.version === version && hive.port === port) return;
    this.#hive = hive;
    this.#again();
    this.#timer ??= setInterval(() => {
      if (this.#currentNetworks().join(" ") !== this.#networks) this.#again();
    }, lookEveryMs).unref();
  }

  /** Tells the network that the hive is no longer there. */
  async withdraw(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#hive = undefined;
    await this.#close();
  }

  #again(): void {
    const hive = this.#hive;
    void this.#close();
    if (hive === undefined) return;
    const networks = this.#currentNetworks();
    this.#networks = networks.join(" ");
    for (const address of networks) {
      const problem = (error: unknown) => {
        this.#tell(address, error);
      };
      try {
        const multicast = openMulticast(address, this.#options.port ?? mdnsPort, problem);
        this.#open.push({ multicast, service: multicast.publish(serviceOf(hive)) });
      } catch (error) {
        problem(error);
      }
    }
  }

  #currentNetworks(): readonly string[] {
    const { host, networks = networksOf } = this.#options;
    return networks(host);
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    await Promise.all(open.map(farewell));
  }

  /** Each kind of trouble once: a network without multicast stays so. */
  #tell(address: string, error: unknown): void {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    if (this.#told.has(code)) return;
    this.#told.add(code);
    const why = error instanceof Error ? error.message : String(error);
    this.#options.log.info({ address, code }, `The hive cannot announce itself on ${address}: ${why}.`);
  }
}

function serviceOf({ hiveId, name, version, port }: AnnouncedHive) {
  const mark = hiveId.slice("hive:".length, "hive:".length + 8);
  const txt: HiveAnnouncement = { hive_id: hiveId, version, api_version: apiVersion };
  return {
    type: hiveServiceType,
    // Two hives may have one name; with the mark none has to ask first whether its name is free.
    name: `${shortened(name, labelBytes - mark.length - 3)} (${mark})`,
    probe: false,
    // The machine's own name belongs to the machine's own responder, which would give way to a second one.
    host: `rbee-${mark}.local`,
    disableIPv6: true,
    port,
    txt,
  };
}

/** A name cut to so many bytes, between characters. */
function shortened(name: string, bytes: number): string {
  let text = "";
  for (const character of name.replaceAll(/[.\p{Cc}]/gu, "-")) {
    if (Buffer.byteLength(text + character) > bytes) break;
    text += character;
  }
  return text;
}

/** Takes the announcement back and closes the socket, but waits for neither any longer than it may take. */
async function farewell({ multicast, service }: { multicast: Bonjour; service: Service }): Promise<void> {
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(done.resolve, partingMs);
  const close = () => {
    // Withdrawn services are not told of the end, and would go on to announce themselves.
    service.destroyed = true;
    try {
      multicast.destroy(done.resolve);
    } catch {
      done.resolve();
    }
  };
  const sending = setTimeout(close, partingMs / 2);
  multicast.unpublishAll(() => {
    clearTimeout(sending);
    close();
  });
  await done.promise;
  clearTimeout(timer);
  clearTimeout(sending);
}
