import type { Setting } from "@rbee/contract";
import type { Accounts } from "#lib/server/accounts/index.ts";
import type { Hives } from "#lib/server/hives/index.ts";
import type { Inference } from "#lib/server/inference/index.ts";
import type { Usage } from "#lib/server/usage/index.ts";

export type { ClientInfo, Person, SignedIn } from "#lib/server/accounts/index.ts";

/** Everything a route may ask of the queen. */
export interface Queen {
  readonly version: string;
  readonly settings: { list(): Setting[] };
  readonly household: {
    name(): string;
    /** Base URL, without `/v1`, that other apps of the household should use. */
    apiUrl(requestOrigin: string): string;
  };
  readonly accounts: Accounts;
  readonly hives: Hives;
  readonly inference: Inference;
  readonly usage: Usage;
}
