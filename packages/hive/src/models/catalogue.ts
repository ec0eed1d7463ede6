import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { modelIdSchema, type HiveModel } from "@rbee/contract";
import type { Logger } from "../log.ts";
import { readGgufHeader, type GgufHeader } from "./gguf-header.ts";

/** A model on this machine's disk. */
export interface LocalModel {
  readonly id: string;
  /** Absolute path of its GGUF file. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly header: GgufHeader;
}

type Reading =
  { readonly kind: "model"; readonly header: GgufHeader } | { readonly kind: "broken"; readonly reason: string };

/** A header is read again only when the file's size or time has changed. */
interface CacheEntry {
  readonly stamp: string;
  readonly reading: Reading;
}

/** The models in the folders that this hive looks into: `<folder>/<model id>/<one file>.gguf`. */
export class ModelCatalogue {
  readonly #folders: readonly string[];
  readonly #log: Logger;
  readonly #cache = new Map<string, CacheEntry>();
  #models: readonly LocalModel[] = [];
  #scanning: Promise<readonly LocalModel[]> | undefined;

  constructor(folders: readonly string[], log: Logger) {
    this.#folders = folders;
    this.#log = log;
  }

  /** The models found by the last scan. */
  get models(): readonly LocalModel[] {
    return this.#models;
  }

  /** Looks into the folders again; concurrent callers share one look. Files that did not change are not read. */
  scan(): Promise<readonly LocalModel[]> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** The model of that id after a fresh look, or why its file cannot be used. */
  async find(id: string): Promise<LocalModel | { readonly broken: string } | undefined> {
    const found = (await this.scan()).find((model) => model.id === id);
    if (found !== undefined) return found;
    for (const folder of this.#folders) {
      const path = await this.#ggufIn(join(folder, id));
      const reading = path === undefined ? undefined : this.#cache.get(path)?.reading;
      if (reading?.kind === "broken") return { broken: reading.reason };
    }
    return undefined;
  }

  async #scan(): Promise<readonly LocalModel[]> {
    const found = new Map<string, LocalModel>();
    const seen = new Set<string>();
    for (const folder of this.#folders) {
      const entries = await readdir(folder).catch((): string[] => []);
      for (const id of entries.sort()) {
        if (found.has(id) || !modelIdSchema.safeParse(id).success) continue;
        const path = await this.#ggufIn(join(folder, id));
        if (path === undefined) continue;
        seen.add(path);
        const model = await this.#read(id, path);
        if (model !== undefined) found.set(id, model);
      }
    }
    for (const path of this.#cache.keys()) if (!seen.has(path)) this.#cache.delete(path);
    this.#models = [...found.values()];
    return this.#models;
  }

  async #ggufIn(folder: string): Promise<string | undefined> {
    const files = await readdir(folder).catch((): string[] => []);
    const name = files.sort().find((file) => file.endsWith(".gguf") && !file.startsWith("."));
    return name === undefined ? undefined : join(folder, name);
  }

  async #read(id: string, path: string): Promise<LocalModel | undefined> {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined || !facts.isFile()) return undefined;
    const stamp = `${facts.size}/${facts.mtimeMs}`;
    let entry = this.#cache.get(path);
    if (entry?.stamp !== stamp) {
      entry = { stamp, reading: await this.#readHeader(id, path) };
      this.#cache.set(path, entry);
    }
    return entry.reading.kind === "broken"
      ? undefined
      : { id, path, sizeBytes: facts.size, header: entry.reading.header };
  }

  async #readHeader(id: string, path: string): Promise<Reading> {
    try {
      return { kind: "model", header: await readGgufHeader(path) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown error";
      this.#log.warn({ model: id, path, reason }, `The model ${id} is left out: its file cannot be read (${reason}).`);
      return { kind: "broken", reason };
    }
  }
}

/** A model as the contract tells it; a name that the header lacks is the id. */
export function describeModel({ id, sizeBytes, header }: LocalModel): HiveModel {
  return {
    id,
    name: header.name ?? id,
    size_bytes: sizeBytes,
    quantization: header.quantization,
    architecture: header.architecture,
    parameters: header.parameters,
    context_length: header.contextLength,
    has_chat_template: header.hasChatTemplate,
  };
}
