import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hiveIdSchema, hiveTokenSchema } from "@rbee/contract";
import * as z from "zod";
import { randomSecret } from "#lib/server/secrets/index.ts";

const hiveFileSchema = z.object({ hive_id: hiveIdSchema, hive_token: hiveTokenSchema });

/** Id and token in a hive's `hive.json`; a new file (0600) is made when there is none. Throws when it is damaged. */
export function localIdentity(hiveHome: string): { hiveId: string; token: string } {
  mkdirSync(hiveHome, { recursive: true, mode: 0o700 });
  const file = join(hiveHome, "hive.json");
  const made = { hive_id: `hive:${randomUUID()}`, hive_token: randomSecret() };
  try {
    writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const { hive_id, hive_token } = hiveFileSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  return { hiveId: hive_id, token: hive_token };
}
