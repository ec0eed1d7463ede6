import { hash, timingSafeEqual } from "node:crypto";
import { RbeeError } from "@rbee/contract";

const digest = (text: string) => hash("sha256", text, "buffer");

/** Lets through only who knows the hive's token; comparing takes the same time whatever was sent. */
export class TokenGate {
  readonly #expected: Buffer;

  constructor(hiveToken: string) {
    this.#expected = digest(hiveToken);
  }

  /** @throws {RbeeError} `missing_api_key`, `invalid_api_key`. */
  check(authorization: string | undefined): void {
    const token = /^bearer +(\S+) *$/iu.exec(authorization ?? "")?.[1];
    if (token === undefined)
      throw new RbeeError("missing_api_key", "This hive answers its queen alone.", {
        suggestion: "Ask the queen instead; it knows this hive's token.",
      });
    if (!timingSafeEqual(digest(token), this.#expected))
      throw new RbeeError("invalid_api_key", "This is not the hive's token.", {
        suggestion: "If the queen asked, let this machine join again.",
      });
  }
}
