import { createHash } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";

/** What the tokens of an ssh config stand for. */
export interface TokenValues {
  readonly home: string;
  readonly host: string;
  readonly original?: string;
  readonly port?: number;
  readonly user?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Replaces `%h`, `%p`, `%r`, `%d`, `%u`, `%n`, `%l`, `%L`, `%i`, `%C`, `%%`, and in paths a leading `~` and `${NAME}`.
 * An unknown token stays as it is.
 * @param pathRoot given for paths: what `~` stands for and what relative paths are relative to
 */
export function expandTokens(text: string, values: TokenValues, pathRoot?: string): string {
  const withEnvironment =
    pathRoot === undefined
      ? text
      : text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => values.env?.[name] ?? "");
  const expanded = withEnvironment.replace(/%(.)/g, (token, letter: string) => tokenValue(letter, values) ?? token);
  if (pathRoot === undefined) return expanded;
  if (expanded === "~" || expanded.startsWith("~/")) return join(pathRoot, expanded.slice(1));
  return expanded.startsWith("/") ? expanded : join(pathRoot, expanded);
}

function tokenValue(letter: string, values: TokenValues): string | undefined {
  const { home, host, original = host, port = 22, user = userInfo().username } = values;
  const local = hostname();
  const known: Record<string, string> = {
    "%": "%",
    h: host,
    n: original,
    p: String(port),
    r: user,
    d: home,
    u: userInfo().username,
    i: String(userInfo().uid),
    l: local,
    L: local.split(".")[0] ?? local,
    C: createHash("sha1").update(`${local}${host}${port}${user}`).digest("hex"),
  };
  return known[letter];
}
