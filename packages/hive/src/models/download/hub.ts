import type { HubReference } from "@rbee/contract";
import * as z from "zod";
import type { Clock } from "../../clock.ts";
import type { HubFile } from "./choice.ts";
import { failureOf, StallWatch, TransferError, type Http, type Origin } from "./http.ts";
import { refusalOf } from "./refusal.ts";

/** The part of the hub's description of a repository that is used here. */
const repositorySchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{7,64}$/u),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.number().int().min(0).nullish(),
      lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/u), size: z.number().int().min(0) }).nullish(),
    }),
  ),
});

export interface Repository {
  /** The commit that the reference's revision means now. */
  readonly revision: string;
  readonly files: readonly HubFile[];
}

const longestListing = 32 * 1024 * 1024;

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** Where a file of a repository is fetched at a commit. */
export function filePath(repository: string, revision: string, file: string): string {
  return `/${repository}/resolve/${encodeURIComponent(revision)}/${encoded(file)}`;
}

/** The hub that models come from: which files a repository has, with sizes and SHA-256. */
export class Hub {
  readonly origin: Origin;
  readonly #http: Http;
  readonly #clock: Clock;
  readonly #stallMs: number;

  constructor(options: { url: string; token: string | undefined; http: Http; clock: Clock; stallMs: number }) {
    const { url, token, http, clock, stallMs } = options;
    this.origin = { kind: "hub", name: new URL(url).host, baseUrl: url, token };
    this.#http = http;
    this.#clock = clock;
    this.#stallMs = stallMs;
  }

  /**
   * The files of a repository.
   * @throws {TransferError} `download_not_found`, `download_forbidden`, `download_failed`, `download_stalled`; the
   *   reason of the signal.
   */
  async repository({ repository, revision }: HubReference, signal: AbortSignal): Promise<Repository> {
    const path = `/api/models/${repository}/revision/${encodeURIComponent(revision ?? "main")}?blobs=true`;
    const stall = new StallWatch(this.#clock, this.#stallMs);
    try {
      const answer = await this.#http.get(this.origin, path, {
        headers: { accept: "application/json" },
        signal,
        stall,
      });
      if (answer.status !== 200) {
        await answer.body.dump();
        const what = revision === null ? repository : `${repository} at ${revision}`;
        throw refusalOf(answer, this.origin, what, this.#clock.now());
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        stall.heard();
        bytes += chunk.length;
        if (bytes > longestListing) throw this.#nonsense();
        chunks.push(chunk);
      }
      return this.#parse(Buffer.concat(chunks).toString("utf8"));
    } catch (error) {
      throw failureOf(error, this.origin, signal, stall);
    } finally {
      stall.end();
    }
  }

  #parse(text: string): Repository {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#nonsense();
    }
    const parsed = repositorySchema.safeParse(value);
    if (!parsed.success) throw this.#nonsense();
    return {
      revision: parsed.data.sha,
      files: parsed.data.siblings.map(({ rfilename, size, lfs }) => ({
        path: rfilename,
        sizeBytes: lfs?.size ?? size ?? 0,
        sha256: lfs?.sha256 ?? null,
      })),
    };
  }

  #nonsense(): TransferError {
    return new TransferError(false, "download_failed", `${this.origin.name} answers, but not as a hub of models does.`, {
      suggestion: "Check HF_ENDPOINT on the hive.",
    });
  }
}
