import { RbeeError } from "@rbee/contract";
import type { Clock } from "../../clock.ts";
import { failureOf, StallWatch, TransferError, type Answer, type Http, type Origin } from "./http.ts";
import type { PartFile } from "./part-file.ts";
import { refusalOf } from "./refusal.ts";

/** A place where a file can be had. */
export interface Place {
  readonly origin: Origin;
  readonly path: string;
}

/** What has to be there in the end. */
export interface Wanted {
  /** As a person would call it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Null when nobody has announced one. */
  readonly sha256: string | null;
}

export interface TransferHooks {
  /** After every piece: bytes of the file that are on disk now. */
  readonly bytes: (size: number) => void;
  /** The part could not be gone on with. @param why in words. */
  readonly restarted: (why: string) => void;
  /** Called now and then while bytes come; throws when there is no room for more. */
  readonly checkRoom: () => Promise<void>;
}

const checkRoomEveryBytes = 64 * 1024 * 1024;

/** `bytes 100-199/200`: where it begins, and how long the whole is when that is said. */
function contentRange(value: string | undefined): { start: number; total: number | null } | null {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/u.exec(value ?? "");
  if (match === null) return null;
  return { start: Number(match[1]), total: match[2] === "*" ? null : Number(match[2]) };
}

/** One attempt to fetch what is missing of a file. */
export class Transfer {
  readonly #place: Place;
  readonly #wanted: Wanted;
  readonly #part: PartFile;
  readonly #http: Http;
  readonly #clock: Clock;
  readonly #hooks: TransferHooks;
  readonly #signal: AbortSignal;
  readonly #stall: StallWatch;

  constructor(options: {
    place: Place;
    wanted: Wanted;
    part: PartFile;
    http: Http;
    clock: Clock;
    stallMs: number;
    hooks: TransferHooks;
    signal: AbortSignal;
  }) {
    this.#place = options.place;
    this.#wanted = options.wanted;
    this.#part = options.part;
    this.#http = options.http;
    this.#clock = options.clock;
    this.#hooks = options.hooks;
    this.#signal = options.signal;
    this.#stall = new StallWatch(options.clock, options.stallMs);
  }

  /**
   * Fetches from where the part ends; when it comes back, the file is whole and is the one that was announced.
   * @throws {TransferError} and whatever `checkRoom` and the disk throw.
   */
  async run(): Promise<void> {
    const { sizeBytes } = this.#wanted;
    try {
      if (this.#part.size < sizeBytes) await this.#fetch();
    } catch (error) {
      if (isOfTheDisk(error)) throw error;
      throw failureOf(error, this.#place.origin, this.#signal, this.#stall);
    } finally {
      this.#stall.end();
    }
    await this.#verify();
  }

  async #fetch(): Promise<void> {
    const answer = await this.#ask(this.#part.size);
    const good = (await this.#fits(answer)) ? answer : await this.#ask(0);
    if (good.status !== 200 && good.status !== 206) {
      await good.body.dump();
      throw refusalOf(good, this.#place.origin, this.#wanted.name, this.#clock.now());
    }
    const { etag } = good.headers;
    if (this.#part.size === 0 && etag !== undefined) this.#part.noteEtag(this.#place.origin.name, etag);
    await this.#receive(good);
  }

  #ask(from: number): Promise<Answer> {
    const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
    return this.#http.get(this.#place.origin, this.#place.path, { headers, signal: this.#signal, stall: this.#stall });
  }

  /** Whether an answer goes on where the part ends; if not, the part is begun anew. */
  async #fits(answer: Answer): Promise<boolean> {
    const { size } = this.#part;
    if (size === 0 || (answer.status !== 200 && answer.status !== 206 && answer.status !== 416)) return true;
    const { origin } = this.#place;
    const range = contentRange(answer.headers["content-range"]);
    const before = this.#part.etagOf(origin.name);
    const { etag } = answer.headers;
    const startsAnew = async (why: string) => {
      await this.#part.restart();
      this.#hooks.restarted(why);
      this.#hooks.bytes(0);
    };
    if (answer.status === 200) {
      // This answer is the whole file, so that it serves.
      await startsAnew(`${origin.name} does not send files from the middle`);
      return true;
    }
    let why: string | undefined;
    if (answer.status === 416) why = `${origin.name} has nothing from there on`;
    else if (before !== undefined && etag !== undefined && before !== etag) why = `the file at ${origin.name} has changed`;
    else if (range?.start !== size || (range.total !== null && range.total !== this.#wanted.sizeBytes))
      why = `${origin.name} sends another part than it was asked for`;
    if (why === undefined) return true;
    answer.body.destroy();
    await startsAnew(why);
    return false;
  }

  async #receive(answer: Answer): Promise<void> {
    const { sizeBytes } = this.#wanted;
    let unchecked = 0;
    // The body ends with an error when it is destroyed; nobody else listens.
    answer.body.on("error", () => {});
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      this.#stall.heard();
      if (this.#part.size + chunk.length > sizeBytes) {
        await this.#part.restart();
        throw this.#mismatch("it is longer than announced");
      }
      unchecked += chunk.length;
      if (unchecked >= checkRoomEveryBytes) {
        unchecked = 0;
        await this.#hooks.checkRoom();
      }
      await this.#part.append(chunk);
      // Time that the disk takes is not the server's silence.
      this.#stall.heard();
      this.#hooks.bytes(this.#part.size);
    }
    if (this.#part.size < sizeBytes)
      throw new TransferError(
        true,
        "download_failed",
        `${this.#place.origin.name} broke off after ${this.#part.size} of ${sizeBytes} bytes.`,
        { suggestion: "Try again; what is here is kept." },
      );
  }

  async #verify(): Promise<void> {
    const { sha256 } = this.#wanted;
    const found = this.#part.digest();
    if (sha256 === null || found === sha256) return;
    await this.#part.restart();
    this.#hooks.bytes(0);
    throw this.#mismatch("its SHA-256 is another one", { expected: sha256, found });
  }

  #mismatch(why: string, details?: Record<string, unknown>): TransferError {
    const { name } = this.#wanted;
    return new TransferError(true, "checksum_mismatch", `${name} is not the file that was announced: ${why}.`, {
      details,
      suggestion: "Try again later, or take another source; what came was thrown away.",
    });
  }
}

function isOfTheDisk(error: unknown): boolean {
  if (error instanceof RbeeError) return false;
  const call: unknown = error instanceof Error ? Reflect.get(error, "syscall") : undefined;
  return call === "write" || call === "fsync" || call === "ftruncate" || call === "open";
}
