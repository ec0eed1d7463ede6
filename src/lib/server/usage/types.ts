import type { UsageRow } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";

export interface Usage {
  /** Newest first; a member sees their own, an administrator everybody's. `since` is Unix milliseconds. */
  list(person: Person, query: { readonly limit: number; readonly since?: number | undefined }): UsageRow[];
}
