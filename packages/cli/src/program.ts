import { Command } from "commander";
import { login } from "./account/login.ts";
import { logout } from "./account/logout.ts";
import { benchmark } from "./bench/bench.ts";
import { hiveAdd } from "./hive/add.ts";
import { hiveAdopt } from "./hive/adopt.ts";
import { hiveCheck } from "./hive/check.ts";
import { hiveDiscover } from "./hive/discover.ts";
import { hiveInstall } from "./hive/install.ts";
import { hiveList } from "./hive/list.ts";
import { hiveLogs, logs } from "./hive/logs.ts";
import { hiveNearby } from "./hive/nearby.ts";
import { hiveRemove } from "./hive/remove.ts";
import { hiveRollback, hiveStart, hiveStop } from "./hive/service.ts";
import { tokenCreate } from "./hive/token/create.ts";
import { tokenList } from "./hive/token/list.ts";
import { tokenRevoke } from "./hive/token/revoke.ts";
import { hiveUninstall } from "./hive/uninstall.ts";
import { hiveUpdate } from "./hive/update.ts";
import { hiveUpgrade } from "./hive/upgrade.ts";
import { chat } from "./inference/chat.ts";
import { infer } from "./inference/infer.ts";
import { jobCancel } from "./job/cancel.ts";
import { jobList } from "./job/list.ts";
import { jobFollow, jobShow } from "./job/show.ts";
import { keyCreate } from "./key/create.ts";
import { keyList } from "./key/list.ts";
import { keyRevoke } from "./key/revoke.ts";
import { explain } from "./model/explain.ts";
import { modelList } from "./model/list.ts";
import { modelPull } from "./model/pull.ts";
import { modelRemove } from "./model/remove.ts";
import { modelSearch } from "./model/search.ts";
import { modelPlace } from "./model/place.ts";
import { modelAlias, modelPin, modelSet, modelShow, modelUnalias, modelUnpin } from "./model/settings.ts";
import { programVersion } from "./program-root.ts";
import { config } from "./queen/config.ts";
import { doctor } from "./doctor/doctor.ts";
import { status } from "./queen/status.ts";
import { up } from "./queen/up.ts";
import { sync } from "./sync/sync.ts";
import { usage } from "./usage/list.ts";
import { userInvite } from "./user/invite.ts";
import { userList } from "./user/list.ts";
import { userRemove } from "./user/remove.ts";
import { userRole } from "./user/role.ts";
import { workerHealth } from "./worker/health.ts";
import { workerList } from "./worker/list.ts";
import { workerLogs } from "./worker/logs.ts";
import { workerSpawn } from "./worker/spawn.ts";
import { workerStop } from "./worker/stop.ts";

type Verb = (parent: Command) => void;

function noun(parent: Command, name: string, summary: string, verbs: readonly Verb[]): Command {
  const command = parent.command(name).description(summary);
  for (const add of verbs) add(command);
  return command;
}

/** The whole command line. Wrong usage throws commander's error instead of ending the process. */
export function createProgram(): Command {
  const program = new Command("rbee")
    .description("One private AI service out of the computers of one household.")
    .version(programVersion(), "--version", "print the version")
    .helpCommand(false)
    .showHelpAfterError("Add --help to see what it takes.")
    .addHelpText("after", '\nExample:\n  $ rbee infer --model bee-tiny --prompt "hello"\n')
    .exitOverride();
  for (const add of [up, status, infer, chat, explain, benchmark, sync, logs, config, doctor, usage, login, logout])
    add(program);
  noun(program, "key", "your API keys", [keyCreate, keyList, keyRevoke]);
  noun(program, "user", "the people of the household", [userList, userInvite, userRole, userRemove]);
  const hive = noun(program, "hive", "the machines of the household", [
    ...[hiveList, hiveNearby, hiveDiscover, hiveCheck, hiveInstall, hiveAdopt, hiveUpgrade, hiveRollback],
    ...[hiveStart, hiveStop, hiveLogs, hiveUninstall, hiveAdd, hiveUpdate, hiveRemove],
  ]);
  noun(hive, "token", "tokens with which machines join", [tokenCreate, tokenList, tokenRevoke]);
  noun(program, "worker", "the processes that hold models", [
    ...[workerList, workerSpawn, workerStop, workerHealth, workerLogs],
  ]);
  noun(program, "job", "what takes time, and how it goes", [jobList, jobShow, jobFollow, jobCancel]);
  noun(program, "model", "the models of the household", [
    ...[modelList, modelSearch, modelPull, modelRemove],
    ...[modelShow, modelSet, modelPlace, modelPin, modelUnpin, modelAlias, modelUnalias],
  ]);
  noun(program, "setup", "other names of the hive commands", [
    (setup) => {
      hiveAdd(setup, "add-node");
    },
    (setup) => {
      hiveList(setup, "list-nodes");
    },
    (setup) => {
      hiveRemove(setup, "remove-node");
    },
    hiveInstall,
  ]);
  return program;
}
