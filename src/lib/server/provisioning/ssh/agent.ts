import ssh2, {
  type BaseAgent,
  type IdentityCallback,
  type ParsedKey,
  type PublicKeyEntry,
  type SignCallback,
  type SigningRequestOptions,
} from "ssh2";

/** An agent of which the keys of the ssh config come first, and where the config says so no others are offered. */
export class ChosenKeysAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: BaseAgent;
  readonly #preferred: readonly Buffer[];
  readonly #only: boolean;

  constructor(agent: BaseAgent, preferred: readonly Buffer[], only: boolean) {
    super();
    this.#agent = agent;
    this.#preferred = preferred;
    this.#only = only;
  }

  /** The public keys that will be offered; none when the agent does not answer. */
  async publicKeys(): Promise<Buffer[]> {
    return new Promise((done) => {
      this.getIdentities((error, keys) =>
        done(error ? [] : (keys ?? []).map(toParsedKey).flatMap((key) => (key === null ? [] : [key.getPublicSSH()]))),
      );
    });
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    this.#agent.getIdentities((error, keys) => {
      if (error) return done(error);
      const parsed = (keys ?? []).map(toParsedKey).filter((key) => key !== null);
      const rank = (key: ParsedKey) => {
        const place = this.#preferred.findIndex((wanted) => wanted.equals(key.getPublicSSH()));
        return place === -1 ? this.#preferred.length : place;
      };
      const chosen = this.#only ? parsed.filter((key) => rank(key) < this.#preferred.length) : parsed;
      done(
        undefined,
        chosen.toSorted((a, b) => rank(a) - rank(b)),
      );
    });
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done?: SignCallback,
  ): void {
    if (typeof options === "function") this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, done);
  }
}

function toParsedKey(key: string | Buffer | ParsedKey | PublicKeyEntry): ParsedKey | null {
  if (typeof key === "string" || Buffer.isBuffer(key)) {
    const parsed = ssh2.utils.parseKey(key);
    return parsed instanceof Error ? null : parsed;
  }
  return "pubKey" in key ? toParsedKey("pubKey" in key.pubKey ? key.pubKey.pubKey : key.pubKey) : key;
}
