import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, TomlError } from "smol-toml";
import * as z from "zod";
import { configHome, type SettingDefinition, type SettingTable, type SettingValues } from "./define.ts";

export type SettingSource = "flag" | "environment" | "file" | "default";

/** A wrong setting. Its message is one line that names the setting, where its value came from and what is allowed. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export interface LoadedSettings<T extends SettingTable> {
  readonly values: SettingValues<T>;
  readonly sources: { readonly [K in keyof T]: SettingSource };
  /** The settings file that was read, if there is one. */
  readonly file: string | undefined;
}

export interface LoadOptions<T extends SettingTable> {
  flags?: Partial<Record<keyof T, unknown>>;
  env?: NodeJS.ProcessEnv;
  /** Where to look for the settings file, first wins. */
  files?: readonly string[];
}

function settingsFiles(env: NodeJS.ProcessEnv): string[] {
  const named = env["RBEE_CONFIG"];
  return [...(named === undefined ? [] : [named]), join(configHome(env), "config.toml"), "/etc/rbee/config.toml"];
}

function readFirst(
  files: readonly string[],
  named: string | undefined,
): { file: string | undefined; content: unknown } {
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && file !== named) continue;
      throw new SettingsError(`The settings file ${file} cannot be read (${code ?? "unknown error"}).`);
    }
    try {
      return { file, content: parse(text) };
    } catch (error) {
      if (error instanceof TomlError)
        throw new SettingsError(
          `The settings file ${file} is not valid TOML: line ${error.line}, column ${error.column}.`,
        );
      throw error;
    }
  }
  return { file: undefined, content: {} };
}

function at(content: unknown, dotted: string): unknown {
  return dotted
    .split(".")
    .reduce<unknown>(
      (value, key) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      content,
    );
}

function candidates(
  definition: SettingDefinition,
  flag: unknown,
  env: NodeJS.ProcessEnv,
  content: unknown,
): { value: unknown; source: SettingSource }[] {
  const fromEnv = env[definition.env];
  return [
    { value: flag, source: "flag" },
    { value: fromEnv === "" ? undefined : fromEnv, source: "environment" },
    { value: at(content, definition.toml), source: "file" },
  ];
}

/**
 * Reads settings: flags, then environment, then one TOML file, then defaults.
 * @throws {SettingsError} naming the first setting that is wrong, in one line.
 */
export function loadSettings<T extends SettingTable>(table: T, options: LoadOptions<T> = {}): LoadedSettings<T> {
  const env = options.env ?? process.env;
  const { file, content } = readFirst(options.files ?? settingsFiles(env), env["RBEE_CONFIG"]);
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const [key, definition] of Object.entries(table)) {
    const given = candidates(definition, options.flags?.[key], env, content).find(({ value }) => value !== undefined);
    if (given === undefined) {
      values[key] = definition.fallback(env);
      sources[key] = "default";
      continue;
    }
    const result = definition.schema.safeParse(given.value);
    if (!result.success) {
      const where =
        given.source === "file"
          ? `${definition.toml} in ${file ?? "the settings file"}`
          : given.source === "flag"
            ? `--${definition.toml.split(".").at(-1) ?? key}`
            : definition.env;
      const shown = definition.secret === true ? "" : `, not ${JSON.stringify(given.value)}`;
      throw new SettingsError(`${where} ${z.flattenError(result.error).formErrors[0] ?? "is invalid"}${shown}.`);
    }
    values[key] = result.data;
    sources[key] = given.source;
  }
  return { values: values as SettingValues<T>, sources: sources as { [K in keyof T]: SettingSource }, file };
}

/** One row per setting for `rbee config`; secrets are masked. Matches the contract's `Setting`. */
export function describeSettings<T extends SettingTable>(
  table: T,
  loaded: LoadedSettings<T>,
): { name: string; value: string | null; source: SettingSource; description: string }[] {
  return Object.entries(table).map(([key, definition]) => {
    const value: unknown = loaded.values[key as keyof T];
    const shown =
      value === undefined
        ? null
        : definition.secret === true
          ? "••••••"
          : Array.isArray(value)
            ? value.join(":")
            : String(value);
    return {
      name: definition.env,
      value: shown,
      source: loaded.sources[key as keyof T],
      description: definition.description,
    };
  });
}
