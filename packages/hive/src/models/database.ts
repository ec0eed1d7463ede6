import { renameSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import * as z from "zod";
import { HomeError } from "../home.ts";
import type { Logger } from "../log.ts";

/** Where a model came from; one that was only found in a folder has no record at all, or a record for its aliases. */
export type Provider = "hub" | "hive" | "import" | "folder";

export interface FileRecord {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

/** What no look at the files can tell about a model. */
export interface ModelRecord {
  readonly id: string;
  readonly provider: Provider;
  readonly reference: string | null;
  readonly revision: string | null;
  readonly files: readonly FileRecord[];
  readonly downloadedAt: number | null;
  readonly lastUsedAt: number | null;
  readonly pinned: boolean;
  readonly aliases: readonly string[];
}

/** What the header said when the model was last read, kept for whoever looks into the database. */
export interface HeaderColumns {
  readonly name: string | null;
  readonly architecture: string | null;
  readonly quantization: string | null;
  readonly parameters: number | null;
  readonly context_length: number | null;
  readonly has_chat_template: 0 | 1;
  /** JSON of the contract's `ModelMemoryFacts`. */
  readonly memory_facts: string;
}

/** Each brings the database from the version that is its place in this list to the next. Never edit a released one. */
const migrations: readonly string[] = [
  `CREATE TABLE models (
     id TEXT PRIMARY KEY,
     provider TEXT NOT NULL,
     reference TEXT,
     revision TEXT,
     downloaded_at INTEGER,
     last_used_at INTEGER,
     pinned INTEGER NOT NULL DEFAULT 0,
     size_bytes INTEGER,
     name TEXT,
     architecture TEXT,
     quantization TEXT,
     parameters INTEGER,
     context_length INTEGER,
     has_chat_template INTEGER,
     memory_facts TEXT
   ) STRICT;
   CREATE TABLE model_files (
     model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
     position INTEGER NOT NULL,
     path TEXT NOT NULL,
     size_bytes INTEGER NOT NULL,
     sha256 TEXT,
     PRIMARY KEY (model_id, position)
   ) STRICT;
   CREATE TABLE model_aliases (
     alias TEXT PRIMARY KEY,
     model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE
   ) STRICT;`,
];

const modelRow = z.object({
  id: z.string(),
  provider: z.enum(["hub", "hive", "import", "folder"]),
  reference: z.string().nullable(),
  revision: z.string().nullable(),
  downloaded_at: z.number().nullable(),
  last_used_at: z.number().nullable(),
  pinned: z.number(),
});
const fileRow = z.object({ model_id: z.string(), path: z.string(), size_bytes: z.number(), sha256: z.string().nullable() });
const aliasRow = z.object({ alias: z.string(), model_id: z.string() });

function open(path: string): Database.Database {
  const database = new Database(path);
  try {
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = NORMAL");
    database.pragma("foreign_keys = ON");
    const version = z.number().parse(database.pragma("user_version", { simple: true }));
    if (version > migrations.length) throw new Error(`it was written by a newer rbee (version ${version})`);
    for (const [from, migration] of migrations.entries())
      if (from >= version)
        database.transaction(() => {
          database.exec(migration);
          database.pragma(`user_version = ${from + 1}`);
        })();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** `hive.db`: what this hive knows about its models beside what lies in the files. Opened when it is first needed. */
export class ModelDatabase {
  readonly #path: string;
  readonly #log: Logger;
  #database: Database.Database | undefined;

  constructor(home: string, log: Logger) {
    this.#path = join(home, "hive.db");
    this.#log = log;
  }

  /**
   * Everything that is recorded, by id.
   * @throws {HomeError} when the file cannot be used, or is a newer rbee's.
   */
  all(): Map<string, ModelRecord> {
    const database = this.#open();
    const files = Map.groupBy(
      z.array(fileRow).parse(database.prepare("SELECT * FROM model_files ORDER BY model_id, position").all()),
      ({ model_id }) => model_id,
    );
    const aliases = Map.groupBy(
      z.array(aliasRow).parse(database.prepare("SELECT * FROM model_aliases ORDER BY alias").all()),
      ({ model_id }) => model_id,
    );
    const rows = z.array(modelRow).parse(database.prepare("SELECT * FROM models ORDER BY id").all());
    return new Map(
      rows.map((row) => [
        row.id,
        {
          id: row.id,
          provider: row.provider,
          reference: row.reference,
          revision: row.revision,
          files: (files.get(row.id) ?? []).map(({ path, size_bytes, sha256 }) => ({
            path,
            sizeBytes: size_bytes,
            sha256,
          })),
          downloadedAt: row.downloaded_at,
          lastUsedAt: row.last_used_at,
          pinned: row.pinned === 1,
          aliases: (aliases.get(row.id) ?? []).map(({ alias }) => alias),
        },
      ]),
    );
  }

  /** Records a model, in place of what was recorded under its id. */
  save(record: ModelRecord): void {
    const database = this.#open();
    database.transaction(() => {
      database
        .prepare(
          `INSERT INTO models (id, provider, reference, revision, downloaded_at, last_used_at, pinned, size_bytes)
           VALUES (@id, @provider, @reference, @revision, @downloaded_at, @last_used_at, @pinned, @size_bytes)
           ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, reference = excluded.reference,
             revision = excluded.revision, downloaded_at = excluded.downloaded_at,
             last_used_at = excluded.last_used_at, pinned = excluded.pinned, size_bytes = excluded.size_bytes`,
        )
        .run({
          id: record.id,
          provider: record.provider,
          reference: record.reference,
          revision: record.revision,
          downloaded_at: record.downloadedAt,
          last_used_at: record.lastUsedAt,
          pinned: record.pinned ? 1 : 0,
          size_bytes: record.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        });
      database.prepare("DELETE FROM model_files WHERE model_id = ?").run(record.id);
      const addFile = database.prepare(
        "INSERT INTO model_files (model_id, position, path, size_bytes, sha256) VALUES (?, ?, ?, ?, ?)",
      );
      for (const [position, file] of record.files.entries())
        addFile.run(record.id, position, file.path, file.sizeBytes, file.sha256);
      database.prepare("DELETE FROM model_aliases WHERE model_id = ?").run(record.id);
      const addAlias = database.prepare("INSERT INTO model_aliases (alias, model_id) VALUES (?, ?)");
      for (const alias of record.aliases) addAlias.run(alias, record.id);
    })();
  }

  /** Copies what the header says beside the record, if there is one. */
  describe(id: string, header: HeaderColumns): void {
    this.#open()
      .prepare(
        `UPDATE models SET name = @name, architecture = @architecture, quantization = @quantization,
           parameters = @parameters, context_length = @context_length, has_chat_template = @has_chat_template,
           memory_facts = @memory_facts WHERE id = @id`,
      )
      .run({ ...header, id });
  }

  /** Forgets a model; its files are not touched. */
  remove(id: string): void {
    this.#open().prepare("DELETE FROM models WHERE id = ?").run(id);
  }

  /** Whether the file is whole, as SQLite itself checks it. */
  isSound(): boolean {
    return this.#open().pragma("quick_check", { simple: true }) === "ok";
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  /** A damaged file is put aside: the models are found again in their folders, only their past is lost. */
  #open(): Database.Database {
    if (this.#database !== undefined) return this.#database;
    try {
      this.#database = open(this.#path);
    } catch (error) {
      const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
      if (code !== "SQLITE_CORRUPT" && code !== "SQLITE_NOTADB")
        throw new HomeError(
          `${this.#path} cannot be used: ${error instanceof Error ? error.message : "unknown error"}.`,
        );
      const aside = `${this.#path}.damaged-${Date.now()}`;
      renameSync(this.#path, aside);
      this.#log.error({ path: aside }, "hive.db is damaged. It was put aside, and a new one was begun.");
      this.#database = open(this.#path);
    }
    return this.#database;
  }
}
