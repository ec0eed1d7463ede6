import { hiveSettings, loadSettings, queenSettings, SettingsError } from "@rbee/settings";
import { findQueen, type Connection } from "../connection/connect.ts";
import { findLocalQueen } from "../connection/run-file.ts";
import { checkoutChecks } from "./checkout.ts";
import { databaseChecks } from "./database.ts";
import { fail, findings, ok, type Check, type Finding } from "./finding.ts";
import { folderChecks } from "./folders.ts";
import { gpuChecks } from "./gpus.ts";
import { askQueen, hiveChecks, localHiveChecks } from "./household.ts";
import { networkChecks } from "./network.ts";
import { programChecks } from "./programs.ts";
import { sshChecks } from "./ssh-files.ts";

type Settings = ReturnType<typeof readSettings>;

function readSettings(env: NodeJS.ProcessEnv) {
  return { queen: loadSettings(queenSettings, { env }).values, hive: loadSettings(hiveSettings, { env }).values };
}

function connectionOf(env: NodeJS.ProcessEnv): Connection | undefined {
  try {
    return findQueen(undefined, env);
  } catch {
    // A broken login file is told by every other command; here it only means that there is nobody to ask.
    return undefined;
  }
}

function machineChecks({ queen, hive }: Settings, env: NodeJS.ProcessEnv, running: boolean): readonly Check[] {
  const homes = { home: queen.home, hiveHome: queen.hiveHome };
  return [
    ...folderChecks(homes),
    ...databaseChecks(homes),
    ...gpuChecks(),
    ...networkChecks({
      queen: { port: queen.port, host: queen.host },
      hive: { port: queen.hivePort, host: queen.hiveHost },
      running,
      hubUrl: hive.hubUrl,
      hubToken: hive.hubToken,
      announce: hive.announce,
      agentSocket: env["SSH_AUTH_SOCK"],
    }),
    ...sshChecks(),
  ];
}

async function all(checks: readonly Check[]): Promise<Finding[]> {
  return (await Promise.all(checks.map(findings))).flat();
}

/** Keeps the first of findings that say the same: of the administrator both the queen and the database tell. */
function once(found: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return found.filter(({ name, state }) => {
    const key = `${name} ${state}`;
    const isNew = name !== "administrator" || !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Checks everything that rbee needs, each thing on its own, with or without a queen that runs. It never throws. */
export async function examine(options: { env: NodeJS.ProcessEnv; forTests: boolean }): Promise<Finding[]> {
  const { env } = options;
  const first = all(programChecks);
  const last = checkoutChecks(options.forTests).then(all);
  let settings: Settings;
  try {
    settings = readSettings(env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const wrong = fail("settings", error.message, "`rbee config` lists every setting.");
    return [...(await first), wrong, ...(await last)];
  }
  const running = findLocalQueen(settings.queen.home) !== undefined;
  const machine = all(machineChecks(settings, env, running));
  const { findings: ofQueen, fleet } = await askQueen(connectionOf(env));
  const { hiveHome, hivePort, localHive } = settings.queen;
  const household = all([
    ...localHiveChecks({ hiveHome, isWanted: localHive, fleet, port: hivePort, running }),
    ...hiveChecks(fleet),
  ]);
  return once([
    ...(await first),
    ok("settings", "every setting is valid"),
    ...(await machine),
    ...ofQueen,
    ...(await household),
    ...(await last),
  ]);
}
