import * as z from "zod";
import type { HubHttp } from "./hub-http.ts";

const count = z.int().min(0).nullish().catch(null);
/** What the hub says of a repository, as far as it is used; what it leaves out or says in another way is unknown. */
const describedSchema = z.object({
  id: z.string().regex(/^[^/\s]+\/[^/\s]+$/u),
  downloads: count,
  likes: count,
  gated: z.union([z.boolean(), z.string()]).nullish().catch(null),
  private: z.boolean().nullish().catch(null),
  lastModified: z.string().nullish().catch(null),
  gguf: z
    .object({
      total: z.number().positive().nullish().catch(null),
      architecture: z.string().nullish().catch(null),
      context_length: z.int().positive().nullish().catch(null),
    })
    .nullish()
    .catch(null),
});
const sha256 = /^[0-9a-f]{64}$/u;
const listedSchema = describedSchema.extend({
  sha: z.string().regex(/^[0-9a-f]{7,64}$/u),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.number().int().min(0).nullish(),
      lfs: z
        .object({ sha256: z.string().regex(sha256), size: z.number().int().min(0) })
        .nullish()
        .catch(null),
    }),
  ),
});

export interface Described {
  /** `org/repo`. */
  readonly repository: string;
  readonly downloads: number | null;
  readonly likes: number | null;
  readonly gated: boolean;
  readonly private: boolean;
  readonly updatedAt: number | null;
  readonly parameters: number | null;
  readonly architecture: string | null;
  readonly contextLength: number | null;
}

export interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

export interface Listed extends Described {
  /** The commit that the revision means now. */
  readonly revision: string;
  readonly files: readonly ListedFile[];
}

const mb = 1024 * 1024;
const searchLimitBytes = 16 * mb;
const listLimitBytes = 32 * mb;
const fields = ["downloads", "likes", "gated", "private", "lastModified", "gguf"];

function described(value: z.infer<typeof describedSchema>): Described {
  const changed = Date.parse(value.lastModified ?? "");
  return {
    repository: value.id,
    downloads: value.downloads ?? null,
    likes: value.likes ?? null,
    gated: typeof value.gated === "string" || value.gated === true,
    private: value.private === true,
    updatedAt: Number.isNaN(changed) ? null : changed,
    parameters: value.gguf?.total ?? null,
    architecture: value.gguf?.architecture ?? null,
    contextLength: value.gguf?.context_length ?? null,
  };
}

/**
 * Repositories with GGUF files that match the words, the most downloaded first.
 * @throws {RbeeError} `download_failed`, `download_forbidden`.
 */
export async function searchRepositories(
  http: HubHttp,
  { words, limit, signal }: { words: string; limit: number; signal: AbortSignal },
): Promise<Described[]> {
  const query = new URLSearchParams({ filter: "gguf", sort: "downloads", direction: "-1", limit: String(limit) });
  if (words !== "") query.set("search", words);
  for (const field of fields) query.append("expand[]", field);
  const ask = { what: "its list of models", limitBytes: searchLimitBytes, signal };
  const found = z.array(z.unknown()).safeParse(await http.json(`/api/models?${query.toString()}`, ask));
  if (!found.success) throw http.nonsense();
  // One that is odd does not hide the others.
  const models = found.data.flatMap((each) => describedSchema.safeParse(each).data ?? []);
  if (found.data.length > 0 && models.length === 0) throw http.nonsense();
  return models.map(described);
}

/**
 * What a repository is and which files it has.
 * @throws {RbeeError} `download_not_found`, `download_forbidden`, `download_failed`.
 */
export async function readRepository(
  http: HubHttp,
  { repository, revision, signal }: { repository: string; revision: string | null; signal: AbortSignal },
): Promise<Listed> {
  const what = revision === null ? repository : `${repository} at ${revision}`;
  const path = `/api/models/${repository}/revision/${encodeURIComponent(revision ?? "main")}?blobs=true`;
  const listed = listedSchema.safeParse(await http.json(path, { what, limitBytes: listLimitBytes, signal })).data;
  if (listed === undefined) throw http.nonsense();
  return {
    ...described(listed),
    revision: listed.sha,
    files: listed.siblings.map(({ rfilename, size, lfs }) => ({
      path: rfilename,
      sizeBytes: lfs?.size ?? size ?? 0,
      sha256: lfs?.sha256 ?? null,
    })),
  };
}
