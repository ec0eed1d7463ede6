import type { MachineFacts } from "@rbee/contract";
import type { Layout } from "../layout.ts";
import { detachedService } from "./detached.ts";
import { launchdService } from "./launchd.ts";
import { systemdService } from "./systemd.ts";

/** How a machine keeps the hive running: scripts of `sh` that do it there, and what a person should know about it. */
export interface HiveService {
  readonly kind: MachineFacts["service_manager"];
  /** Completes the sentence "The hive runs …". */
  readonly words: string;
  /** Puts the service in its place, as the machine shall keep it. Doing it again changes nothing. */
  install(layout: Layout, options: { autoStart: boolean }): string;
  /** Starts the hive, or starts it again; comes back at once. Prints its process id where that is known. */
  start(layout: Layout): string;
  /** Asks the hive to end; comes back when it has, or after it was told to. */
  stop(layout: Layout): string;
  /** Exits with 0 while the hive is running or being started, else with 3. */
  status(layout: Layout): string;
  /** Prints what the hive said last when it could not write its own log. */
  lastWords(layout: Layout): string;
  /** Takes the service away. */
  remove(layout: Layout): string;
}

/** The service of a machine, by what was found there. */
export function serviceFor(kind: MachineFacts["service_manager"]): HiveService {
  switch (kind) {
    case "systemd":
      return systemdService;
    case "launchd":
      return launchdService;
    case "none":
      return detachedService;
  }
}

/** A hive lets its answers end for 30 s; only after that, and some seconds for the rest, is it killed. */
export const drainS = 30;
export const killAfterS = 40;
