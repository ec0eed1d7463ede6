import { NeedsMore, readRemoteHeader, type RemoteHeader } from "./gguf-header.ts";
import type { HubHttp } from "./hub-http.ts";

export interface RemoteFile {
  readonly repository: string;
  /** A commit: what it names never changes, so what was read of it can be kept. */
  readonly revision: string;
  readonly path: string;
  readonly sizeBytes: number;
}

const kb = 1024;
/** How much of a file is fetched at first, and then: nearly all headers are done with after the first piece. */
const pieces = [128 * kb, 2_048 * kb, 14_336 * kb] as const;
const kept = 500;

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** The headers of files on the hub, read piece by piece and remembered by commit. */
export class RemoteHeaders {
  readonly #http: HubHttp;
  readonly #read = new Map<string, RemoteHeader>();

  constructor(http: HubHttp) {
    this.#http = http;
  }

  /**
   * The header of a file; null when it cannot be read, whatever the reason: the file's size must do then.
   * Rejects only with the reason of a signal that ended for the asker.
   */
  async of(file: RemoteFile, signal: AbortSignal): Promise<RemoteHeader | null> {
    const { repository, revision, path } = file;
    const key = `${repository}@${revision}/${path}`;
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const header = await this.#fetch(file, signal).catch(() => null);
    if (header === null) return null;
    if (this.#read.size >= kept) for (const [oldest] of [...this.#read].slice(0, kept / 10)) this.#read.delete(oldest);
    this.#read.set(key, header);
    return header;
  }

  async #fetch({ repository, revision, path, sizeBytes }: RemoteFile, signal: AbortSignal): Promise<RemoteHeader> {
    const address = `/${repository}/resolve/${encodeURIComponent(revision)}/${encoded(path)}`;
    let bytes = Buffer.alloc(0);
    for (const piece of pieces) {
      const last = Math.min(sizeBytes, bytes.length + piece) - 1;
      if (last < bytes.length) break;
      const range = [bytes.length, last] as const;
      const more = await this.#http.bytes(address, { what: path, limitBytes: piece, range, signal });
      bytes = Buffer.concat([bytes, more]);
      try {
        return readRemoteHeader(bytes);
      } catch (thrown) {
        if (!(thrown instanceof NeedsMore)) throw thrown;
      }
    }
    throw new NeedsMore();
  }
}
