export { openDatabase, type Db, type OpenDatabase } from "./open.ts";
export * as tables from "./schema.ts";
