import { installMethodSchema, type InstallMethod } from "@rbee/contract";
import * as z from "zod";
import { isHostName, parseDestination } from "../ssh/index.ts";

const portOf = (what: string) => z.int(`must be a port number${what}`).min(1, portRange).max(65_535, portRange);
const portRange = "must be 1 to 65535";

const hostName = z
  .string("must be text in quotes")
  .trim()
  .min(1, "must not be empty")
  .refine(
    (value) => value === "" || isHostName(value),
    "must be a host name, an address, or an alias of the ssh config",
  );

const userName = z
  .string("must be text in quotes")
  .refine((value) => isUserName(value), "must be the name of an account");

/** One `[[hive]]` as it is written; its unknown keys are told apart from wrong values by the caller. */
export const entrySchema = z.strictObject({
  alias: hostName,
  hostname: hostName.optional(),
  ssh_port: portOf(", for example 22").optional(),
  ssh_user: userName.optional(),
  hive_port: portOf(", for example 7835").default(7835),
  auto_start: z.boolean("must be true or false").default(true),
  install_method: z.unknown().optional().transform(readMethod),
});
export type WrittenEntry = z.output<typeof entrySchema>;

/** A machine that `hives.conf` declares. */
export interface HivesConfEntry {
  readonly alias: string;
  /** How to reach it, as for `ssh`. */
  readonly target: string;
  readonly hivePort: number;
  readonly autoStart: boolean;
  readonly installMethod: InstallMethod;
}

/** The entry as the rest of the queen wants it. Without `hostname` the alias is what `ssh` would be given. */
export function entryOf(written: WrittenEntry): HivesConfEntry {
  const { alias, hostname = alias, ssh_user: user, ssh_port: port } = written;
  const host = hostname.includes(":") && port !== undefined ? `[${hostname}]` : hostname;
  return {
    alias,
    target: `${user === undefined ? "" : `${user}@`}${host}${port === undefined ? "" : `:${port}`}`,
    hivePort: written.hive_port,
    autoStart: written.auto_start,
    installMethod: written.install_method,
  };
}

function isUserName(value: string): boolean {
  try {
    return parseDestination(`${value}@host`).user === value;
  } catch {
    return false;
  }
}

const [bundle, git, binary] = installMethodSchema.options;
const methods: Record<string, z.ZodType<InstallMethod>> = { bundle, git, binary };
const howItLooks = 'must be { bundle = {} }, { git = { repo = "…", branch = "main" } } or { binary = { path = "…" } }';

/** A union's own message would only say that nothing fits. */
function readMethod(value: unknown, context: z.RefinementCtx): InstallMethod {
  if (value === undefined) return { bundle: {} };
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  const [kind = ""] = keys;
  const schema = Object.hasOwn(methods, kind) ? methods[kind] : undefined;
  if (keys.length !== 1 || schema === undefined) {
    context.addIssue({ code: "custom", message: howItLooks });
    return z.NEVER;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues)
    if (issue.code === "unrecognized_keys")
      for (const key of issue.keys)
        context.addIssue({ code: "custom", path: [...issue.path, key], message: "is not known here" });
    else context.addIssue({ code: "custom", path: issue.path, message: wordsFor(issue) });
  return z.NEVER;
}

/** Sentences of ours stay; the library's own become one that a person can do something with. */
function wordsFor({ code, message }: z.core.$ZodIssue): string {
  return code === "invalid_type" ? "is missing or is not text in quotes" : message;
}
