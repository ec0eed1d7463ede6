import type { Logger } from "pino";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { MachineAccess } from "./access.ts";
import type { OneAtATime } from "./one-at-a-time.ts";
import type { BeehiveStore } from "./registry/store.ts";

/** What of the queen's settings and services operations on other machines need. */
export interface ProvisioningOptions {
  /** The program's own root: what bundles are made of. */
  readonly root: string;
  /** The queen's data folder. */
  readonly home: string;
  readonly hives: Pick<HivesService, "registry" | "contact" | "expect" | "forget">;
  /** How the machine at `host` reaches the queen; null when it cannot. */
  readonly urlTowards: (host: string) => Promise<string | null>;
  readonly log: Logger;
  readonly now: () => number;
  readonly settings: {
    readonly sshConfig: string | undefined;
    readonly networkDomain: string | undefined;
    readonly remoteBinaryPath: string;
    readonly remoteGitRepoDir: string;
    readonly installTimeoutS: number;
    readonly configDir: string;
    /** Seconds after the queen's start when she looks around. */
    readonly discoveryDelayS: number;
    /** Whether hives that announce themselves are listened for. */
    readonly announce: boolean;
  };
}

/** What every operation on a machine stands on. */
export interface Parts extends ProvisioningOptions {
  readonly access: MachineAccess;
  readonly oneAtATime: OneAtATime;
  readonly beehives: BeehiveStore;
}
