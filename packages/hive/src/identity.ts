import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hiveIdSchema, hiveTokenSchema, nameSchema } from "@rbee/contract";
import * as z from "zod";
import { HomeError, writeSecretFile } from "./home.ts";

/** What `hive.json` holds. */
const hiveFileSchema = z.object({
  hive_id: hiveIdSchema,
  hive_token: hiveTokenSchema,
  queen_url: z.url({ protocol: /^https?$/u }).optional(),
  /** SHA-256 of the join token that was used, so that the same start command does not join twice. */
  joined_with: z.string().optional(),
  /** What whoever installed this hive chose; settings win. */
  name: nameSchema.optional(),
  port: z.int().min(1).max(65_535).optional(),
});
type HiveFile = z.infer<typeof hiveFileSchema>;

const hashOf = (joinToken: string) => createHash("sha256").update(joinToken).digest("hex");

/** Name and port that this hive was installed with, as far as its `hive.json` says; a damaged file says nothing. */
export function installedAs(home: string): { readonly name?: string | undefined; readonly port?: number | undefined } {
  try {
    const { name, port } = hiveFileSchema.parse(JSON.parse(readFileSync(join(home, "hive.json"), "utf8")));
    return { name, port };
  } catch {
    return {};
  }
}

/** Who this hive is and whom it reports to; every change is on disk before it counts. */
export class Identity {
  readonly #path: string;
  #file: HiveFile;

  private constructor(path: string, file: HiveFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Reads `hive.json`, or makes it with a new id and a new 256-bit token.
   * @throws {HomeError} when the file exists but is not a valid one.
   */
  static open(home: string): Identity {
    const path = join(home, "hive.json");
    let text: string | undefined;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") throw new HomeError(`${path} cannot be read (${code ?? "unknown error"}).`);
    }
    if (text === undefined) {
      const fresh = { hive_id: `hive:${randomUUID()}`, hive_token: randomBytes(32).toString("base64url") };
      const identity = new Identity(path, fresh);
      identity.#save(fresh);
      return identity;
    }
    try {
      return new Identity(path, hiveFileSchema.parse(JSON.parse(text)));
    } catch {
      throw new HomeError(`${path} is damaged; restore it, or remove it and let this machine join again.`);
    }
  }

  get hiveId(): string {
    return this.#file.hive_id;
  }

  get hiveToken(): string {
    return this.#file.hive_token;
  }

  get queenUrl(): string | undefined {
    return this.#file.queen_url;
  }

  /** Whether this join token already let the hive in at this queen. */
  hasJoined(queenUrl: string, joinToken: string): boolean {
    return this.#file.queen_url === queenUrl && this.#file.joined_with === hashOf(joinToken);
  }

  reportTo(queenUrl: string): void {
    if (queenUrl !== this.#file.queen_url) this.#save({ ...this.#file, queen_url: queenUrl });
  }

  joined(queenUrl: string, joinToken: string): void {
    this.#save({ ...this.#file, queen_url: queenUrl, joined_with: hashOf(joinToken) });
  }

  #save(file: HiveFile): void {
    writeSecretFile(this.#path, `${JSON.stringify(file, null, 2)}\n`);
    this.#file = file;
  }
}
