import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installedAs } from "./identity.ts";
import { hiveSettings, loadSettings, SettingsError, type LoadedSettings } from "@rbee/settings";

export type HiveSettings = LoadedSettings<typeof hiveSettings>["values"];

/** How this hive process was started, and everything that was set for it. */
export interface HiveConfig {
  readonly settings: HiveSettings;
  /** Shown in the dashboard; the host name when nothing is set. */
  readonly name: string;
  /** `ipc` when the queen started this hive: it lives exactly as long as the channel to it. */
  readonly parent: "ipc" | "none";
  /** Every folder that may hold models, the hive's own first. */
  readonly modelDirs: readonly string[];
  /** Program and first arguments of a worker process. */
  readonly workerCommand: readonly string[];
}

export type CommandLine =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "run"; readonly flags: Partial<Record<keyof typeof hiveSettings, string>> };

const options = {
  queen: { type: "string" },
  "join-token": { type: "string" },
  name: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  home: { type: "string" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/**
 * Reads the command line.
 * @throws {SettingsError} in one line when a flag is unknown or lacks its value.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let values;
  try {
    values = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line = "The command line is wrong."] = (error instanceof Error ? error.message : "").split(/\n|\. /u);
    throw new SettingsError(`${line.replace(/\.$/u, "")}. See rbee-hive --help.`);
  }
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  const { queen, "join-token": joinToken, name, port, host, home } = values;
  const given = { queenUrl: queen, joinToken, name, port, host, home };
  return { kind: "run", flags: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

/** What `rbee-hive --help` prints. */
export function helpText(): string {
  const settings = Object.values(hiveSettings).map(({ env, description }) => `  ${env.padEnd(20)} ${description}`);
  return `rbee-hive: lets this machine work for an rbee household

Usage: rbee-hive [--queen URL] [--join-token TOKEN] [--name NAME] [--port PORT] [--host ADDRESS] [--home FOLDER]

  --queen URL          the queen to report to
  --join-token TOKEN   joins the household; \`rbee hive token create\` on the queen's machine makes one
  --name NAME          how the dashboard calls this machine
  --port PORT          port to listen on (7835)
  --host ADDRESS       address to listen on (0.0.0.0)
  --home FOLDER        where hive.json, models and logs are kept
  --version            prints the version
  --help               prints this text

Example: rbee-hive --queen http://192.168.1.10:7833 --join-token rbeejoin_…

Settings from the environment (flags win, then these, then config.toml):
${settings.join("\n")}
`;
}

/** This file runs from `src/` in development and from `dist/` when built: both are one folder below the package. */
const fromSource = import.meta.url.endsWith(".ts");
const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const workerEntry = beside(fromSource ? "../../worker/src/main.ts" : "../../worker/bin/rbee-worker.js");
const shippedModels = beside("../../../models");

/** The settings table calls flags after the settings file; people typed them as they stand in `--help`. */
function asTyped(error: SettingsError): SettingsError {
  return new SettingsError(error.message.replace(/^--queen_url/u, "--queen").replace(/^--join_token/u, "--join-token"));
}

/**
 * Everything that was set for this hive: flags, then environment, then settings file, then defaults.
 * @throws {SettingsError} naming the first wrong setting in one line.
 */
export function loadConfig(
  flags: Partial<Record<keyof typeof hiveSettings, string>>,
  env: NodeJS.ProcessEnv = process.env,
): HiveConfig {
  let settings: HiveSettings;
  let portIsSet: boolean;
  try {
    const { values, sources } = loadSettings(hiveSettings, { flags, env });
    settings = values;
    portIsSet = sources.port !== "default";
  } catch (error) {
    throw error instanceof SettingsError ? asTyped(error) : error;
  }
  if (settings.joinToken !== undefined && settings.queenUrl === undefined)
    throw new SettingsError("--join-token needs --queen with the queen's address.");
  const home = resolve(settings.home);
  const installed = installedAs(home);
  settings = { ...settings, home, port: portIsSet ? settings.port : (installed.port ?? settings.port) };
  const modelDirs = [`${settings.home}/models`, ...(existsSync(shippedModels) ? [shippedModels] : [])];
  return {
    settings,
    name: (settings.name ?? installed.name ?? hostname()).trim().slice(0, 64) || "hive",
    parent: env["RBEE_HIVE_PARENT"] === "ipc" ? "ipc" : "none",
    modelDirs: [...modelDirs, ...(settings.modelPaths ?? [])],
    workerCommand: [process.execPath, workerEntry],
  };
}
