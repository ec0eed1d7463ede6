import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  modelFileSchema,
  partsOf,
  RbeeError,
  type FileReference,
  type ModelGrant,
  type ModelUpdate,
} from "@rbee/contract";
import type { Clock } from "../clock.ts";
import type { BrokenModel, LocalModel, ModelCatalogue } from "./catalogue.ts";
import type { FileRecord, ModelDatabase, ModelRecord } from "./database.ts";
import { readGgufHeader } from "./gguf-header.ts";
import type { ModelGrants } from "./grants.ts";
import { idsFor } from "./ids.ts";
import { sha256Of } from "./sha256.ts";

export interface ModelStoreOptions {
  /** The hive's own folder of models: the only one that is ever written to. */
  readonly folder: string;
  readonly catalogue: ModelCatalogue;
  readonly database: ModelDatabase;
  readonly grants: ModelGrants;
  readonly clock: Clock;
}

/** What is to become a model. */
export interface NewModel {
  readonly id: string;
  readonly provider: "hub" | "hive";
  readonly reference: string | null;
  readonly revision: string | null;
  readonly files: readonly { readonly name: string; readonly path: string; readonly sha256: string }[];
}

/** Everything that changes which models this hive has. */
export class ModelStore {
  readonly #options: ModelStoreOptions;

  constructor(options: ModelStoreOptions) {
    this.#options = options;
  }

  /**
   * The model of that id, alias or reference.
   * @throws {RbeeError} `model_not_found`.
   */
  async get(name: string): Promise<LocalModel | BrokenModel> {
    const found = await this.#options.catalogue.find(name);
    if (found !== undefined) return found;
    throw new RbeeError("model_not_found", `This hive has no model ${name}.`, {
      param: "model",
      details: { available: this.#options.catalogue.models.map(({ id }) => id) },
    });
  }

  /** A ready model that is made of exactly these files. */
  async holding(sha256: readonly (string | null)[]): Promise<LocalModel | undefined> {
    const models = await this.#options.catalogue.scan();
    return models.find(
      ({ files, record }) =>
        record !== undefined &&
        record.files.length === sha256.length &&
        files.every(({ sizeBytes }, index) => record.files[index]?.sizeBytes === sizeBytes) &&
        record.files.every((file, index) => file.sha256 !== null && file.sha256 === sha256[index]),
    );
  }

  /**
   * A free id for a model.
   * @param reserved ids that are as good as taken.
   * @throws {RbeeError} `already_exists` when the wish is another model's.
   */
  freeId(options: {
    wish: string | undefined;
    path: string;
    owner: string | undefined;
    reserved: ReadonlySet<string>;
  }): string {
    const { wish, path, owner, reserved } = options;
    const taken = (id: string) => {
      if (reserved.has(id)) return true;
      const known = this.#options.catalogue.known(id);
      // What rbee itself left unusable is replaced.
      if (known !== undefined) return !("broken" in known && isOurs(known.record));
      return existsSync(join(this.#options.folder, id));
    };
    // The ids to choose from never end.
    for (const id of wish === undefined ? idsFor(path, owner) : [wish]) if (!taken(id)) return id;
    throw new RbeeError("already_exists", `Another model of this hive has the id ${wish ?? path}.`, {
      param: "id",
      suggestion: "Choose another id, or delete that model first.",
    });
  }

  /**
   * Takes finished files into the catalogue; they are moved.
   * @throws {RbeeError} `download_failed` when they are no model; they are then removed.
   */
  async add(model: NewModel): Promise<void> {
    const { folder, database, catalogue, clock } = this.#options;
    for (const { name, path } of model.files) {
      const reason = modelFileSchema.shape.name.safeParse(name).success
        ? await readGgufHeader(path).then(
            () => undefined,
            (error: unknown) => (error instanceof Error ? error.message : "it cannot be read"),
          )
        : "its name is not one for a file";
      if (reason === undefined) continue;
      for (const file of model.files) rmSync(file.path, { force: true });
      throw new RbeeError("download_failed", `${name} has arrived whole, but is no model: ${reason}.`, {
        suggestion: "Take another file or repository.",
      });
    }
    const incoming = join(folder, `.incoming-${model.id}`);
    rmSync(incoming, { recursive: true, force: true });
    mkdirSync(incoming, { recursive: true, mode: 0o700 });
    for (const { name, path } of model.files) renameSync(path, join(incoming, name));
    const place = join(folder, model.id);
    rmSync(place, { recursive: true, force: true });
    renameSync(incoming, place);
    const files = await Promise.all(
      model.files.map(async ({ name, sha256 }): Promise<FileRecord> => {
        const path = join(place, name);
        return { path, sizeBytes: (await stat(path)).size, sha256 };
      }),
    );
    const { id, provider, reference, revision } = model;
    database.save({
      id,
      provider,
      reference,
      revision,
      files,
      downloadedAt: clock.now(),
      lastUsedAt: null,
      pinned: false,
      aliases: [],
    });
    await catalogue.rescan();
  }

  /**
   * Takes a GGUF file that lies on this machine into the catalogue, where it is; nothing is copied.
   * @param onBytes hears how much has been read to compute the SHA-256, and how much there is.
   * @throws {RbeeError} `invalid_request` when it is not there or is no model, `already_exists`.
   */
  async import(
    reference: FileReference,
    options: {
      id: string | undefined;
      reserved: ReadonlySet<string>;
      signal: AbortSignal;
      onBytes: (done: number, total: number) => void;
    },
  ): Promise<{ id: string; already: boolean }> {
    const { catalogue, database, clock } = this.#options;
    const paths = partsOf(reference.path);
    const sizes: number[] = [];
    for (const path of paths) {
      const facts = await stat(path).catch(() => undefined);
      if (facts === undefined || !facts.isFile()) throw notAModel(path, "there is no such file on this machine");
      await readGgufHeader(path).catch((error: unknown) => {
        throw notAModel(path, error instanceof Error ? error.message : "it cannot be read");
      });
      sizes.push(facts.size);
    }
    await catalogue.scan();
    const known = catalogue.models.find(({ path }) => path === paths[0]);
    if (known !== undefined) return { id: known.id, already: true };
    const [first = reference.path] = paths;
    const id = this.freeId({ wish: options.id, path: first, owner: undefined, reserved: options.reserved });
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const files: FileRecord[] = [];
    let before = 0;
    for (const [index, path] of paths.entries()) {
      const done = before;
      const sha256 = await sha256Of(path, options.signal, (bytes) => {
        options.onBytes(done + bytes, total);
      });
      files.push({ path, sizeBytes: sizes[index] ?? 0, sha256 });
      before += sizes[index] ?? 0;
    }
    database.save({
      id,
      provider: "import",
      reference: `file://${first.split("/").map(encodeURIComponent).join("/")}`,
      revision: null,
      files,
      downloadedAt: clock.now(),
      lastUsedAt: null,
      pinned: false,
      aliases: [],
    });
    await catalogue.rescan();
    return { id, already: false };
  }

  /**
   * Pins a model or changes its aliases.
   * @throws {RbeeError} `model_not_found`, `already_exists` when an alias means another model.
   */
  async update(name: string, change: ModelUpdate): Promise<LocalModel | BrokenModel> {
    const { catalogue, database } = this.#options;
    const model = await this.get(name);
    const aliases = [...new Set(change.aliases ?? catalogue.recordOf(model).aliases)].filter((one) => one !== model.id);
    for (const alias of aliases) {
      const other = catalogue.known(alias);
      if (other !== undefined && other.id !== model.id)
        throw new RbeeError("already_exists", `${alias} means the model ${other.id} already.`, { param: "aliases" });
    }
    const record = catalogue.recordOf(model);
    database.save({ ...record, aliases, pinned: change.pinned ?? record.pinned });
    await catalogue.rescan();
    return this.get(model.id);
  }

  /**
   * Deletes what rbee has downloaded; of an imported model only the entry.
   * @returns bytes that are free again.
   * @throws {RbeeError} `invalid_request` when somebody else put the files there.
   */
  async remove(model: LocalModel | BrokenModel): Promise<number> {
    const { folder, database, catalogue } = this.#options;
    const record = catalogue.recordOf(model);
    if (record.provider === "folder" && model.files.length > 0)
      throw new RbeeError("invalid_request", `${model.id} was not put there by rbee, so rbee does not delete it.`, {
        param: "model",
        suggestion: "Remove its folder on that machine; the catalogue follows.",
      });
    let bytes = 0;
    if (isOurs(record)) {
      rmSync(join(folder, record.id), { recursive: true, force: true });
      bytes = model.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    }
    database.remove(record.id);
    await catalogue.rescan();
    return bytes;
  }

  /**
   * Leave for another hive to fetch this model. Hashes that are not known yet are computed first.
   * @throws {RbeeError} `model_not_found`.
   */
  async grant(name: string, signal: AbortSignal): Promise<ModelGrant> {
    const { catalogue, database, grants } = this.#options;
    const model = await this.get(name);
    if ("broken" in model)
      throw new RbeeError("model_not_found", `${model.id} cannot be sent from here: ${model.broken}.`, {
        param: "model",
      });
    const recorded = new Map(catalogue.recordOf(model).files.map((file) => [file.path, file]));
    const files: (FileRecord & { sha256: string })[] = [];
    for (const file of model.files) {
      const known = recorded.get(file.path);
      const sha256 = known?.sizeBytes === file.sizeBytes ? known.sha256 : null;
      files.push({ ...file, sha256: sha256 ?? (await sha256Of(file.path, signal)) });
    }
    database.save({ ...catalogue.recordOf(model), files });
    await catalogue.rescan();
    return {
      ...grants.issue(model.id),
      files: files.map(({ path, sizeBytes, sha256 }) => ({ name: basename(path), size_bytes: sizeBytes, sha256 })),
    };
  }
}

const isOurs = (record: ModelRecord | undefined): boolean => record?.provider === "hub" || record?.provider === "hive";

function notAModel(path: string, reason: string): RbeeError {
  return new RbeeError("invalid_request", `${path} cannot be imported: ${reason}.`, {
    param: "model",
    suggestion: "Name a GGUF file that this machine's hive may read.",
  });
}
