const mark = "[redacted]";
/** Longer texts are cut, so that one event stays small enough to store and to send. */
const longestText = 16_000;
/** Beyond this nothing is even searched for secrets: it is dropped unseen. */
const longestInput = 256 * 1024;
const deepest = 8;
const mostEntries = 1_000;

/** `[pattern, replacement]`, in this order: wide ones that end at a line's end come before narrow ones. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/gu,
    "[redacted private key]",
  ],
  // A scheme with one word of credentials ends with it, so that the rest of a command line stays readable.
  [
    /\b(authorization[\\"']{0,4}\s{0,4}[:=]\s{0,4}[\\"']{0,4})(?:((?:bearer|basic|token|negotiate)\s{1,4})[^\s"'\\,;]+|[^\r\n]+)/giu,
    `$1$2${mark}`,
  ],
  [/\b((?:set-)?cookie[\\"']{0,4}\s{0,4}:\s{0,4})[^\r\n]+/giu, `$1${mark}`],
  [/\b(bearer\s{1,4})[A-Za-z0-9._~+/=-]{8,}/giu, `$1${mark}`],
  [/\brbee_(?=[A-Za-z_-]{0,80}[0-9A-Z])[A-Za-z0-9_-]{8,}/gu, mark],
  [/\b(?:hf_|ghp_|gho_|ghs_|github_pat_|glpat-|sk-)[A-Za-z0-9_-]{16,}/gu, mark],
  [/\b((?:ssh|sftp):\/\/[^\s/?#"'<>:@]{1,256}:)[^\s/?#"'<>]{1,256}@/giu, `$1${mark}@`],
  [/\b((?!ssh:|sftp:)[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#"'<>]{1,512}@/giu, `$1${mark}@`],
  [/(?<![\w-])(--[\w-]{0,40}(?:token|password|passphrase|secret|api-key)[ =])[^\s"']+/giu, `$1${mark}`],
  [
    /\b([\w-]{0,40}(?:password|passwd|passphrase|secret)[\\"']{0,4}\s{0,4}[:=]\s{0,4})(?:\\?"[^"\r\n]*"?|'[^'\r\n]*'?|[^\s"',;&]+)/giu,
    `$1${mark}`,
  ],
  [
    /\b([\w-]{0,40}(?:token|api[_-]?key)(?:[\\"']{1,4}\s{0,4}[:=]|\s{0,1}=)\s{0,4}[\\"']{0,4})[^\s"'\\,;&]{4,}/giu,
    `$1${mark}`,
  ],
  [/\b(token:\s{0,4})[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/giu, `$1${mark}`],
  [/([?&](?:x-amz-(?:signature|credential|security-token)|signature|sig)=)[^\s&"']+/giu, `$1${mark}`],
];

/** Fields whose strings are secrets whatever they look like; `max_tokens` and the like end otherwise. */
const secretField =
  /(?:password|passwd|passphrase|secret|token|apikey|authorization|cookie|privatekey|keymaterial|setupcode)$/u;

const isSecretField = (name: string): boolean => secretField.test(name.toLowerCase().replaceAll(/[^a-z]/gu, ""));

/** The shapes in which one secret shows up in commands, URLs, JSON and headers. */
function shapesOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/u).filter((line) => line.length >= 16);
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString("base64");
  return [
    secret,
    secret.trim(),
    ...lines,
    json,
    encodeURIComponent(secret),
    secret.replaceAll("'", String.raw`'\''`),
    base64,
    base64.replace(/=+$/u, ""),
  ];
}

/** A name that the program gave, not something that came from outside: it stays, even when a password reads the same. */
const fieldName = /^[a-z][a-z_]{0,23}$/u;

/** Three letters would turn up inside ordinary words, and nothing that short is a secret worth a garbled log. */
const shortestSecret = 4;

/** Takes secrets out of everything that a person or a log will see. */
export class Redactor {
  /** Longest first, so that a secret which contains another one goes as a whole. */
  #known: readonly string[] = [];
  readonly #parent: Redactor | undefined;

  constructor(parent?: Redactor) {
    this.#parent = parent;
  }

  /** From now on `secret` shows as `[redacted]`, also quoted, encoded or line by line. Shorter than 4 characters: ignored. */
  register(secret: string): void {
    const shapes = shapesOf(secret).filter((shape) => shape.length >= shortestSecret);
    this.#known = [...new Set([...this.#known, ...shapes])].sort((a, b) => b.length - a.length);
  }

  /** The text without secrets, cut to 16 000 characters. */
  text(text: string): string {
    const clean = this.#withoutPatterns(this.#withoutKnown(text.slice(0, longestInput)));
    if (clean.length <= longestText && text.length <= longestInput) return clean;
    return `${clean.slice(0, longestText)}… (cut, ${text.length} characters in all)`;
  }

  /**
   * A copy that holds JSON values only, without secrets, stacks, cycles or bytes: safe to store and to send.
   * Strings under names such as `password` or `hive_token` go whatever they are.
   */
  value(value: unknown): unknown {
    try {
      return this.#copy(value, 0, new Set());
    } catch {
      // A getter or proxy that throws must not take down the job whose result it is.
      return "[unreadable]";
    }
  }

  /** The same for a record; what is not a record becomes `{ value }`. */
  record(value: unknown): Record<string, unknown> {
    const copy = this.value(value);
    return typeof copy === "object" && copy !== null && !Array.isArray(copy)
      ? (copy as Record<string, unknown>)
      : { value: copy };
  }

  #withoutKnown(text: string): string {
    const own = this.#known.reduce((clean, secret) => clean.replaceAll(secret, mark), text);
    return this.#parent === undefined ? own : this.#parent.#withoutKnown(own);
  }

  #withoutPatterns(text: string): string {
    return patterns.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
  }

  #copy(value: unknown, depth: number, seen: Set<object>): unknown {
    if (typeof value === "string") return this.text(value);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number") return Number.isFinite(value) ? value : null;
    if (typeof value === "bigint") return value.toString();
    if (typeof value !== "object") return null;
    if (seen.has(value)) return "[circular]";
    if (depth >= deepest) return "[too deep]";
    seen.add(value);
    const copy = this.#copyObject(value, depth + 1, seen);
    seen.delete(value);
    return copy;
  }

  #copyObject(value: object, depth: number, seen: Set<object>): unknown {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof URL) return this.text(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Error) {
      const code: unknown = Reflect.get(value, "code");
      return { message: firstLine(this.text(value.message)), ...(typeof code === "string" ? { code } : {}) };
    }
    if (value instanceof Set || Array.isArray(value))
      return [...value].slice(0, mostEntries).map((item) => this.#copy(item, depth, seen));
    const entries =
      value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : Object.entries(value);
    return Object.fromEntries(
      entries
        .filter(([key, item]) => item !== undefined && typeof item !== "function" && key !== "stack")
        .slice(0, mostEntries)
        .map(([key, item]) => [
          fieldName.test(key) ? key : this.text(key),
          isSecretField(key) && typeof item === "string" && item !== "" ? mark : this.#copy(item, depth, seen),
        ]),
    );
  }
}

/** What is known to be secret in the whole process, whichever job runs. */
export const processSecrets = new Redactor();

/** The first line that says something. */
export function firstLine(text: string): string {
  return (
    text
      .split(/\r?\n/u)
      .find((line) => line.trim() !== "")
      ?.trim() ?? ""
  );
}
