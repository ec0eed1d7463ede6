import { join } from "node:path";
import { processSecrets } from "@rbee/jobs";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { ModelCatalogue } from "./catalogue.ts";
import { ModelDatabase } from "./database.ts";
import { Downloads } from "./download/downloads.ts";
import { Http } from "./download/http.ts";
import { Hub } from "./download/hub.ts";
import { ModelGrants } from "./grants.ts";
import { ModelStore } from "./store.ts";

export interface ModelsOptions {
  readonly home: string;
  /** Every folder that may hold models, the hive's own first. */
  readonly folders: readonly string[];
  readonly hubUrl: string;
  readonly hubToken: string | undefined;
  readonly stallMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Disk space kept free, in bytes. */
  readonly marginBytes: number;
}

/** Everything that has to do with the models of this hive. */
export interface Models {
  readonly catalogue: ModelCatalogue;
  readonly database: ModelDatabase;
  readonly store: ModelStore;
  readonly grants: ModelGrants;
  readonly downloads: Downloads;
  readonly hub: Hub;
  close(): Promise<void>;
}

/** Puts together what keeps, fetches and deletes models. The hub's token is hidden in this process from now on. */
export function openModels(options: ModelsOptions): Models {
  const { home, folders, hubUrl, hubToken, stallMs, clock, log, marginBytes } = options;
  if (hubToken !== undefined) processSecrets.register(hubToken);
  const folder = join(home, "models");
  const database = new ModelDatabase(home, log);
  const catalogue = new ModelCatalogue({ folders, database, clock, log });
  const grants = new ModelGrants(clock);
  const store = new ModelStore({ folder, catalogue, database, grants, clock });
  const http = new Http();
  const downloads = new Downloads({
    folder: join(folder, ".downloads"),
    http,
    clock,
    stallMs,
    marginBytes,
  });
  return {
    catalogue,
    database,
    store,
    grants,
    downloads,
    hub: new Hub({ url: hubUrl, token: hubToken, http, clock, stallMs }),
    close: async () => {
      await http.close();
      database.close();
    },
  };
}
