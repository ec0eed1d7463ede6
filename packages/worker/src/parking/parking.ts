import type { ParkingKey } from "./parking-key.ts";
import type { Scratch, ScratchFile } from "./scratch.ts";
import { readHead, readState, sealedBytes, SealedFileError, writeSealed } from "./sealed-file.ts";
import { Shelf, type ShelfOptions } from "./shelf.ts";

/** Conversations shorter than this are computed again faster than they are found. */
export const leastParked = 128;
/** A user's files that are looked at for one prompt. */
const mostLookedAt = 64;

/** Says what became of parked conversations; never whose they are or what is in them. */
export interface ParkingLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface ParkingOptions extends ShelfOptions {
  /** What a file must have been made by to be of any use here: 32 bytes. */
  readonly binding: Buffer;
  readonly scratch: Scratch;
  readonly log: ParkingLog;
}

/** A parked conversation that begins as a prompt does. */
export interface ParkedMatch {
  readonly path: string;
  readonly key: ParkingKey;
  readonly tokens: Uint32Array;
  readonly stateBytes: number;
  /** Tokens that it shares with the prompt. */
  readonly shared: number;
}

function sharedLength(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length++;
  return length;
}

/**
 * Conversations on disk, each encrypted for its user. Whatever goes wrong here is logged and costs a computation;
 * nothing throws.
 */
export class Parking {
  readonly #options: ParkingOptions;
  readonly #shelf: Shelf;
  /** Heads that were read, by path: each new prompt of a user is compared with all of theirs. */
  readonly #heads = new Map<string, { readonly tokens: Uint32Array; readonly stateBytes: number }>();
  readonly #storing = new Set<Promise<void>>();
  #last = Promise.resolve();

  constructor(options: ParkingOptions) {
    this.#options = options;
    this.#shelf = new Shelf(options);
  }

  /** The user's conversation that shares most with a prompt; null when none shares anything worth while. */
  find(key: ParkingKey, prompt: readonly number[]): ParkedMatch | null {
    let best: ParkedMatch | null = null;
    for (const path of this.#paths(key)) {
      const head = this.#head(path, key);
      if (head === null) continue;
      const shared = sharedLength(head.tokens, prompt);
      if (shared >= leastParked && shared > (best?.shared ?? 0)) best = { ...head, path, key, shared };
    }
    return best;
  }

  /** Decrypts a conversation's state; null when its file is damaged or gone. */
  async open({ path, key, stateBytes, tokens }: ParkedMatch): Promise<ScratchFile | null> {
    const { scratch, binding, log } = this.#options;
    let file: ScratchFile | undefined;
    try {
      file = scratch.open(stateBytes);
      await readState(path, key, binding, file);
      this.#shelf.used(path);
      log.info({ tokens: tokens.length, bytes: stateBytes }, "a parked conversation goes on");
      return file;
    } catch (error) {
      file?.close();
      this.#useless(path, error);
      return null;
    }
  }

  /** Removes a conversation whose state turned out to be of no use. */
  discard({ path }: ParkedMatch): void {
    this.#remove(path);
  }

  /** Encrypts a saved state to disk and closes its file, one after the other. Resolves when that is done, has failed or took too long. */
  store(key: ParkingKey, tokens: readonly number[], state: ScratchFile, signal?: AbortSignal): Promise<void> {
    // Each one looks for room, which those before it have taken by then.
    const storing = this.#last
      .then(() => this.#store(key, tokens, state, signal))
      .finally(() => {
        state.close();
        this.#storing.delete(storing);
      });
    this.#last = storing;
    this.#storing.add(storing);
    return storing;
  }

  /** How many conversations are being stored. */
  get storing(): number {
    return this.#storing.size;
  }

  /** Resolves when nothing is being stored any more. */
  async idle(): Promise<void> {
    while (this.#storing.size > 0) await Promise.all(this.#storing);
  }

  async #store(
    key: ParkingKey,
    tokens: readonly number[],
    state: ScratchFile,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { binding, log } = this.#options;
    let part: string | undefined;
    try {
      // What this conversation was earlier on is of no use any more; nor is what has all of it already.
      const earlier: string[] = [];
      for (const path of this.#paths(key)) {
        const head = this.#head(path, key);
        if (head === null) continue;
        const shared = sharedLength(head.tokens, tokens);
        if (shared === tokens.length) {
          this.#shelf.used(path);
          return;
        }
        if (shared === head.tokens.length) earlier.push(path);
      }
      const bytes = sealedBytes(tokens.length, state.bytes);
      const refusal = this.#shelf.makeRoom(bytes);
      if (refusal !== null) {
        log.warn({ tokens: tokens.length, bytes }, `a conversation was not parked: ${refusal}`);
        return;
      }
      const paths = this.#shelf.newPaths(key.namesFor(binding));
      part = paths.part;
      await writeSealed(part, { key, binding, tokens, state, signal });
      this.#shelf.finish(paths);
      for (const path of earlier) this.#remove(path);
      log.info({ tokens: tokens.length, bytes }, "a conversation was parked");
    } catch (error) {
      if (part !== undefined) this.#remove(part);
      log.warn({ err: error, tokens: tokens.length }, "a conversation could not be parked");
    }
  }

  #paths(key: ParkingKey): string[] {
    try {
      return this.#shelf.find(key.namesFor(this.#options.binding)).slice(0, mostLookedAt);
    } catch (error) {
      // Each request comes by here; that it is gone is said when something is to be parked.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.#options.log.warn({ err: error }, "the folder of parked conversations cannot be read");
      return [];
    }
  }

  #head(path: string, key: ParkingKey): { readonly tokens: Uint32Array; readonly stateBytes: number } | null {
    const known = this.#heads.get(path);
    if (known !== undefined) return known;
    try {
      const head = readHead(path, key, this.#options.binding);
      this.#heads.set(path, head);
      for (const oldest of this.#heads.keys()) {
        if (this.#heads.size <= mostLookedAt) break;
        this.#heads.delete(oldest);
      }
      return head;
    } catch (error) {
      this.#useless(path, error);
      return null;
    }
  }

  #useless(path: string, error: unknown): void {
    this.#heads.delete(path);
    const { log } = this.#options;
    if (error instanceof SealedFileError) {
      log.warn({}, `a parked conversation cannot be used and is removed: ${error.message}`);
      this.#remove(path);
    } else if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      log.warn({ err: error }, "a parked conversation cannot be read");
  }

  #remove(path: string): void {
    this.#heads.delete(path);
    try {
      this.#shelf.remove(path);
    } catch (error) {
      this.#options.log.warn({ err: error }, "a parked conversation cannot be removed");
    }
  }
}
