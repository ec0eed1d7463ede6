import { quote } from "../ssh/index.ts";
import type { Layout } from "../layout.ts";
import { aliveFunction } from "./alive.ts";
import type { HiveService } from "./service.ts";

const pidFile = ({ hive }: Layout) => `${hive}/service.pid`;
const logFile = ({ logs }: Layout) => `${logs}/service.log`;

/** `alive` holds while the process that the last start made lives; one that only has its number does not count. */
const watch = (layout: Layout) => `${aliveFunction}
f=${quote(pidFile(layout))}
alive() {
  [ -r "$f" ] || return 1
  { IFS= read -r n && IFS= read -r w; } <"$f"
  [ -n "$n" ] && [ -n "$w" ] && [ "$(started_at "$n")" = "$w" ]
}`;

/** Where no service manager can be used: a process of its own session, remembered by its number and its start time. */
export const detachedService: HiveService = {
  kind: "none",
  words: "as a process of its own, for there is no service manager that the account may use",
  install: (layout) => `mkdir -p ${quote(layout.logs)}`,
  start: (layout) => `${aliveFunction}
umask 077
cd ${quote(layout.hive)} || exit 1
mkdir -p logs || exit 1
set -- ${quote(`${layout.current}/bin/rbee-hive`)} --home ${quote(layout.hive)}
if command -v setsid >/dev/null 2>&1; then
  setsid "$@" </dev/null >${quote(logFile(layout))} 2>&1 &
elif command -v perl >/dev/null 2>&1; then
  perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@" </dev/null >${quote(logFile(layout))} 2>&1 &
else
  set -m
  nohup "$@" </dev/null >${quote(logFile(layout))} 2>&1 &
fi
n=$!
printf '%s\\n%s\\n' "$n" "$(started_at "$n")" >service.pid || exit 1
printf %s "$n"`,
  stop: (layout) => `${watch(layout)}
if alive; then kill -TERM "$n"; fi`,
  status: (layout) => `${watch(layout)}
alive || exit 3`,
  lastWords: (layout) => `tail -n 15 ${quote(logFile(layout))} 2>/dev/null`,
  remove: (layout) => `rm -f ${quote(pidFile(layout))} ${quote(logFile(layout))}`,
};
