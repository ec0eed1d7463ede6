import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";

/** One setting: its environment variable is its name, `toml` its place in the settings file. */
export interface SettingDefinition<S extends z.ZodType = z.ZodType> {
  readonly env: string;
  /** Dotted path in the TOML file, for example `network.port`. */
  readonly toml: string;
  /** Parses the text of an environment variable or flag, or the value of the file. */
  readonly schema: S;
  /** Computed when asked, so that a changed HOME is seen. */
  readonly fallback: (env: NodeJS.ProcessEnv) => z.output<S>;
  readonly description: string;
  readonly secret?: true;
}

export type SettingTable = Readonly<Record<string, SettingDefinition>>;
export type SettingValues<T extends SettingTable> = { readonly [K in keyof T]: z.output<T[K]["schema"]> };

export function setting<S extends z.ZodType>(definition: SettingDefinition<S>): SettingDefinition<S> {
  return definition;
}

export const port = z.coerce
  .number("must be a port number")
  .int()
  .min(0, "must be 0 to 65535")
  .max(65_535, "must be 0 to 65535");
export const seconds = z.coerce.number("must be a number of seconds").min(0);
export const text = z.string().min(1, "must not be empty");
export const optionalText = text.optional();
export const optionalUrl = z
  .url({ protocol: /^https?$/u, error: "must be an http or https URL" })
  .transform((url) => url.replace(/\/+$/u, ""))
  .optional();
const originText = z
  .string()
  .trim()
  .regex(/^(?:\*|https?:\/\/[^/\s]+)$/u, "must be * or look like https://app.example");
/** Origins of web pages: a list in the file, text with commas elsewhere. */
export const origins = z.union([
  z.array(originText),
  z.string().transform((value, context) => {
    const parts = value.split(",").filter((part) => part.trim() !== "");
    const parsed = z.array(originText).safeParse(parts);
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: parsed.error.issues[0]?.message ?? "is not a list of origins" });
    return z.NEVER;
  }),
]);
/** `true`/`false` as people write them. */
export const flag = z.union([z.boolean(), z.stringbool({ error: "must be true or false" })]);
/** A folder or file; `~` is the home folder. */
export const path = text.transform((value) =>
  value === "~" || value.startsWith("~/") ? join(homedir(), value.slice(1)) : value,
);
export const logLevel = z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]);

/** `$XDG_DATA_HOME/rbee`, else `~/.local/share/rbee`. */
export const dataHome = (env: NodeJS.ProcessEnv): string =>
  join(env["XDG_DATA_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "share"), "rbee");
/** `$XDG_CACHE_HOME/rbee`, else `~/.cache/rbee`. */
export const cacheHome = (env: NodeJS.ProcessEnv): string =>
  join(env["XDG_CACHE_HOME"] ?? join(env["HOME"] ?? homedir(), ".cache"), "rbee");
/** `$XDG_CONFIG_HOME/rbee`, else `~/.config/rbee`. */
export const configHome = (env: NodeJS.ProcessEnv): string =>
  join(env["XDG_CONFIG_HOME"] ?? join(env["HOME"] ?? homedir(), ".config"), "rbee");
