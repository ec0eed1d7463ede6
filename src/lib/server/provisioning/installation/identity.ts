import { randomBytes, randomUUID } from "node:crypto";
import { hiveIdSchema, hiveTokenSchema } from "@rbee/contract";
import { secrets } from "@rbee/jobs";
import * as z from "zod";
import { readText, type Remote } from "./remote.ts";

const hiveFileSchema = z.looseObject({
  hive_id: hiveIdSchema,
  hive_token: hiveTokenSchema,
  queen_url: z.string().optional(),
});
export type HiveFile = z.infer<typeof hiveFileSchema>;

/** What stands in a machine's `hive.json`. */
export interface FoundIdentity {
  /** The file as it is, for putting it back; null when there is none. */
  readonly text: string | null;
  /** Null when there is no file, or one that cannot be used. */
  readonly file: HiveFile | null;
}

/**
 * Reads who the hive of a machine is. Its token is hidden from narration from here on.
 * @throws {RbeeError} as reading a remote file does
 */
export async function readIdentity(remote: Remote, signal: AbortSignal): Promise<FoundIdentity> {
  const text = await readText(remote, remote.layout.identity, signal);
  if (text === null) return { text, file: null };
  try {
    const file = hiveFileSchema.parse(JSON.parse(text));
    secrets.register(file.hive_token);
    return { text, file };
  } catch {
    return { text, file: null };
  }
}

/** The identity that an installation gives a hive: the one it has, else a new one. */
export function identityFor(
  found: HiveFile | null,
  given: { queenUrl: string; name: string; port: number },
): HiveFile & { queen_url: string } {
  const token = found?.hive_token ?? randomBytes(32).toString("base64url");
  secrets.register(token);
  return {
    ...found,
    hive_id: found?.hive_id ?? `hive:${randomUUID()}`,
    hive_token: token,
    queen_url: given.queenUrl,
    name: given.name,
    port: given.port,
  };
}

export const identityText = (file: HiveFile): string => `${JSON.stringify(file, null, 2)}\n`;
