import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { modelIdSchema, partsOf } from "@rbee/contract";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { ModelDatabase, ModelRecord } from "./database.ts";
import { readGgufHeader, type GgufHeader } from "./gguf-header.ts";

export interface LocalFile {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** A model on this machine's disk that can be started. */
export interface LocalModel {
  readonly id: string;
  /** Absolute path of its GGUF file, or of the first of them. */
  readonly path: string;
  readonly files: readonly LocalFile[];
  readonly sizeBytes: number;
  readonly header: GgufHeader;
  readonly record: ModelRecord | undefined;
}

/** A model that is known but cannot be started. */
export interface BrokenModel {
  readonly id: string;
  readonly state: "incomplete" | "damaged" | "missing";
  /** In words, for a person. */
  readonly broken: string;
  readonly files: readonly LocalFile[];
  readonly record: ModelRecord | undefined;
}

type Reading =
  { readonly kind: "header"; readonly header: GgufHeader } | { readonly kind: "broken"; readonly reason: string };

/** A header is read again only when the file's size or time has changed. */
interface CacheEntry {
  readonly stamp: string;
  readonly reading: Reading;
}

export interface CatalogueOptions {
  /** Every folder that may hold models: `<folder>/<model id>/<file>.gguf`. */
  readonly folders: readonly string[];
  readonly database: ModelDatabase;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A model's use is noted this often at most. */
const touchEveryMs = 60_000;
/** A file beside a model that turns pictures into its input; it is no model by itself. */
const companionArchitectures = new Set(["clip"]);

/** The models of this hive: those in its folders, those that were imported from elsewhere, and what is recorded of them. */
export class ModelCatalogue {
  readonly #options: CatalogueOptions;
  readonly #cache = new Map<string, CacheEntry>();
  readonly #told = new Set<string>();
  readonly #touched = new Map<string, number>();
  /** Headers as they were last copied into the database. */
  #kept: ReadonlyMap<string, GgufHeader> = new Map();
  #models: readonly LocalModel[] = [];
  #broken: readonly BrokenModel[] = [];
  #scanning: Promise<readonly LocalModel[]> | undefined;

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  /** The models found by the last scan that can be started. */
  get models(): readonly LocalModel[] {
    return this.#models;
  }

  /** The models that the last scan found unusable, and why. */
  get broken(): readonly BrokenModel[] {
    return this.#broken;
  }

  /** Looks at the files again; concurrent callers share one look. Files that did not change are not read. */
  scan(): Promise<readonly LocalModel[]> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** A look that begins now, and so sees what has just been written. */
  async rescan(): Promise<readonly LocalModel[]> {
    await this.#scanning?.catch(() => {});
    return this.scan();
  }

  /** The model of that id, alias or reference after a fresh look, or why it cannot be used. */
  async find(name: string): Promise<LocalModel | BrokenModel | undefined> {
    await this.scan();
    return this.known(name);
  }

  /** The same, as of the last look. */
  known(name: string): LocalModel | BrokenModel | undefined {
    const all = [...this.#models, ...this.#broken];
    return (
      all.find(({ id }) => id === name) ??
      all.find(({ record }) => record?.aliases.includes(name) === true) ??
      all.find(({ record }) => record !== undefined && record.reference === name)
    );
  }

  /** Notes that the model is being used now. */
  touch(id: string): void {
    const now = this.#options.clock.now();
    const before = this.#touched.get(id);
    if (before !== undefined && now - before < touchEveryMs) return;
    this.#touched.set(id, now);
    const model = this.known(id);
    if (model === undefined) return;
    this.#options.database.save({ ...this.recordOf(model), lastUsedAt: now });
  }

  /** What is recorded of a model; of one that was only found, what would be. */
  recordOf(model: LocalModel | BrokenModel): ModelRecord {
    // Read anew, since the model in hand may be older than the last change.
    return (
      this.#options.database.all().get(model.id) ?? {
        id: model.id,
        provider: "folder",
        reference: null,
        revision: null,
        files: model.files.map((file) => ({ ...file, sha256: null })),
        downloadedAt: null,
        lastUsedAt: null,
        pinned: false,
        aliases: [],
      }
    );
  }

  async #scan(): Promise<readonly LocalModel[]> {
    const records = this.#options.database.all();
    const seen = new Set<string>();
    const found = new Map<string, LocalModel | BrokenModel>();
    const take = (id: string, model: LocalModel | BrokenModel | undefined) => {
      if (model !== undefined) found.set(id, model);
    };
    for (const folder of this.#options.folders) {
      const entries = await readdir(folder).catch((): string[] => []);
      for (const id of entries.sort()) {
        const before = found.get(id);
        if ((before !== undefined && !("broken" in before)) || !modelIdSchema.safeParse(id).success) continue;
        const model = await this.#inFolder(id, join(folder, id), records.get(id), seen);
        if (before === undefined || (model !== undefined && !("broken" in model))) take(id, model);
      }
    }
    for (const record of records.values())
      if (!found.has(record.id) && record.files[0] !== undefined)
        take(record.id, await this.#model(record.id, record.files[0].path, record, seen));
    for (const path of this.#cache.keys()) if (!seen.has(path)) this.#cache.delete(path);
    const all = [...found.values()];
    this.#models = all.filter((model): model is LocalModel => !("broken" in model));
    this.#broken = all.filter((model): model is BrokenModel => "broken" in model);
    this.#tell();
    this.#keepHeaders(records);
    return this.#models;
  }

  /** A folder holds one model; what lies beside it is left alone. */
  async #inFolder(
    id: string,
    folder: string,
    record: ModelRecord | undefined,
    seen: Set<string>,
  ): Promise<LocalModel | BrokenModel | undefined> {
    const names = await readdir(folder).catch((): string[] => []);
    const files = names
      .sort()
      .filter((name) => /\.gguf$/iu.test(name) && !name.startsWith("."))
      .map((name) => join(folder, name));
    let problem: BrokenModel | undefined;
    for (const path of files) {
      const model = await this.#model(id, path, record, seen);
      if (!("broken" in model)) {
        if (model.header.architecture === null || companionArchitectures.has(model.header.architecture)) continue;
        return model;
      }
      problem ??= model;
    }
    return problem;
  }

  async #model(
    id: string,
    anyPath: string,
    record: ModelRecord | undefined,
    seen: Set<string>,
  ): Promise<LocalModel | BrokenModel> {
    const paths = partsOf(anyPath);
    const readings = await Promise.all(paths.map((path) => this.#read(path, seen)));
    const files = paths.flatMap((path, index) => {
      const sizeBytes = readings[index]?.sizeBytes;
      return sizeBytes === undefined ? [] : [{ path, sizeBytes }];
    });
    const broken = (state: BrokenModel["state"], reason: string): BrokenModel => ({
      id,
      state,
      broken: reason,
      files,
      record,
    });
    if (files.length === 0) return broken("missing", `${paths[0] ?? anyPath} is not there`);
    const absent = paths.flatMap((path, index) => (readings[index] === undefined ? [basename(path)] : []));
    if (absent.length > 0)
      return broken(
        "incomplete",
        `${absent.length} of its ${paths.length} parts ${absent.length === 1 ? "is" : "are"} missing (${absent.slice(0, 3).join(", ")}${absent.length > 3 ? ", …" : ""})`,
      );
    const headers: GgufHeader[] = [];
    for (const reading of readings) {
      if (reading?.reading.kind === "broken") return broken("damaged", reading.reading.reason);
      if (reading?.reading.kind === "header") headers.push(reading.reading.header);
    }
    const [first] = headers;
    if (first === undefined) return broken("damaged", "it cannot be read");
    if (first.parts !== paths.length)
      return broken("incomplete", `its header speaks of ${first.parts} parts, and ${paths.length} belong together by name`);
    const parameters = headers.reduce((sum, header) => sum + (header.parameters ?? 0), 0);
    return {
      id,
      path: paths[0] ?? anyPath,
      files,
      sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      header: headers.length === 1 ? first : { ...first, parameters },
      record,
    };
  }

  async #read(
    path: string,
    seen: Set<string>,
  ): Promise<{ readonly sizeBytes: number; readonly reading: Reading } | undefined> {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined || !facts.isFile()) return undefined;
    seen.add(path);
    const stamp = `${facts.size}/${facts.mtimeMs}`;
    let entry = this.#cache.get(path);
    if (entry?.stamp !== stamp) {
      entry = { stamp, reading: await readHeader(path) };
      this.#cache.set(path, entry);
    }
    return { sizeBytes: facts.size, reading: entry.reading };
  }

  /** One line for each that is left out, however often one looks. */
  #tell(): void {
    const now = new Set(this.#broken.map(({ id, broken }) => `${id}: ${broken}`));
    for (const { id, broken } of this.#broken) {
      if (this.#told.has(`${id}: ${broken}`)) continue;
      this.#told.add(`${id}: ${broken}`);
      this.#options.log.warn({ model: id, reason: broken }, `The model ${id} is left out: ${broken}.`);
    }
    for (const line of this.#told) if (!now.has(line)) this.#told.delete(line);
  }

  #keepHeaders(records: ReadonlyMap<string, ModelRecord>): void {
    const before = this.#kept;
    this.#kept = new Map(this.#models.map(({ id, header }) => [id, header]));
    for (const { id, header } of this.#models) {
      if (!records.has(id) || before.get(id) === header) continue;
      this.#options.database.describe(id, {
        name: header.name,
        architecture: header.architecture,
        quantization: header.quantization,
        parameters: header.parameters,
        context_length: header.contextLength,
        has_chat_template: header.hasChatTemplate ? 1 : 0,
        memory_facts: JSON.stringify(header.memory),
      });
    }
  }
}

async function readHeader(path: string): Promise<Reading> {
  try {
    return { kind: "header", header: await readGgufHeader(path) };
  } catch (error) {
    return { kind: "broken", reason: error instanceof Error ? error.message : "unknown error" };
  }
}
