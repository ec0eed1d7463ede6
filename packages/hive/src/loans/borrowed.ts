import type { Helper, RbeeError, SpreadPart } from "@rbee/contract";
import type { Borrowing } from "./borrowing.ts";
import { splitModel, spreadOf, type SplitQuestion } from "./split.ts";

/** What a worker knows of the machines that compute a part of its model. */
export interface Borrowed {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly spread: readonly SpreadPart[];
  /** The model is loaded. */
  loaded(): void;
  /** Calls back once when one of them is gone. */
  whenLost(action: (error: RbeeError) => void): void;
  /** Gives everything back. */
  close(): Promise<void>;
}

/** Divides a model between this machine and those that it borrows from. */
export function borrow(
  borrowing: Borrowing,
  helpers: readonly Helper[],
  { layers, backend, self }: Pick<SplitQuestion, "layers" | "backend"> & { self: Omit<SpreadPart, "share"> },
): Borrowed {
  const split = splitModel({ layers, backend, helpers, addresses: borrowing.addresses });
  return {
    flags: split.flags,
    // It ends as soon as a connection breaks, rather than after a debugger has looked for the reason.
    env: { GGML_NO_BACKTRACE: "1", GGML_RPC_NO_RDMA: "1" },
    spread: spreadOf(split, self, helpers),
    loaded: () => {
      borrowing.loaded();
    },
    whenLost: (action) => {
      borrowing.whenLost(action);
    },
    close: () => borrowing.close(),
  };
}
