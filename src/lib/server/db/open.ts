import { join } from "node:path";
import Database from "better-sqlite3";
import { drizzle, type BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { program } from "#lib/server/program/index.ts";
import * as schema from "./schema.ts";

export type Db = BetterSQLite3Database<typeof schema>;

export interface OpenDatabase {
  readonly db: Db;
  close(): void;
}

/** Opens a database file, makes it when missing, and brings its tables up to date. `:memory:` works too. */
export function openDatabase(file: string): OpenDatabase {
  const connection = new Database(file);
  connection.pragma("journal_mode = WAL");
  connection.pragma("synchronous = NORMAL");
  connection.pragma("foreign_keys = ON");
  connection.pragma("busy_timeout = 5000");
  const db = drizzle(connection, { schema });
  migrate(db, { migrationsFolder: join(program.root, "drizzle") });
  return {
    db,
    close() {
      connection.close();
    },
  };
}
