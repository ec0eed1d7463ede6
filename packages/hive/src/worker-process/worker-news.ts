import type { RbeeError } from "@rbee/contract";

/** Hears at which sockets workers of this hive answer, for who reaches them without it. */
export interface WorkerNews {
  serves(workerId: string, socketPath: string): void;
  /** It takes no more requests there; `error` is why answers that are cut off from now on were, null when unknown. */
  left(workerId: string, error: RbeeError | null): void;
}
