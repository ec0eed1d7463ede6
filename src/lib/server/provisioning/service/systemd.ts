import { quote } from "../ssh/index.ts";
import type { Layout } from "../layout.ts";
import { killAfterS, type HiveService } from "./service.ts";

const unit = "rbee-hive.service";
/** Where the bus of the account's own service manager is, also in a login that says nothing of it. */
const bus = "XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR";
const folder = '"${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user"';

/** A word of `ExecStart=` (systemd.service(5), "COMMAND LINES"): quoted, without specifiers and variables. */
function word(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$");
  return `"${escaped}"`;
}

/** The unit file of the hive (systemd.service(5)). */
export function unitText({ current, hive }: Pick<Layout, "current" | "hive">): string {
  return `[Unit]
Description=rbee hive
StartLimitIntervalSec=0

[Service]
# Through sh, for systemd takes no program whose path holds a quotation mark.
ExecStart=/bin/sh -c 'exec "$$0" "$$@"' ${word(`${current}/bin/rbee-hive`)} --home ${word(hive)}
Restart=on-failure
RestartSec=5
# A wrong setting stays wrong.
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStopSec=${killAfterS}
StandardOutput=null

[Install]
WantedBy=default.target
`;
}

export const systemdService: HiveService = {
  kind: "systemd",
  words: "as a systemd service of the account",
  install: (layout, { autoStart }) => `${bus}
folder=${folder}
mkdir -p "$folder" || exit 1
printf %s ${quote(unitText(layout))} >"$folder/${unit}.new" && mv -f "$folder/${unit}.new" "$folder/${unit}" || exit 1
systemctl --user daemon-reload || exit 1
systemctl --user ${autoStart ? "enable" : "disable"} ${unit} || exit 1
${autoStart ? 'loginctl enable-linger "$(id -un)" || { echo "lingering could not be turned on" >&2; exit 4; }' : ":"}`,
  start: () => `${bus}
systemctl --user reset-failed ${unit} 2>/dev/null
systemctl --user restart ${unit} || exit 1
systemctl --user show -p MainPID --value ${unit}`,
  stop: () => `${bus}
if systemctl --user cat ${unit} >/dev/null 2>&1; then systemctl --user stop ${unit}; fi`,
  // `reset-failed` at the start sets the count of restarts to 0: any other number means that the hive ended.
  status: () => `${bus}
show() { systemctl --user show -p "$1" --value ${unit}; }
[ "$(show ActiveState)" = active ] && [ "$(show NRestarts)" = 0 ] || exit 3`,
  lastWords: () => `${bus}
journalctl --user -u ${unit} -n 15 --no-pager -o cat 2>/dev/null`,
  remove: () => `${bus}
folder=${folder}
systemctl --user disable --now ${unit} >/dev/null 2>&1
rm -f "$folder/${unit}"
systemctl --user daemon-reload; systemctl --user reset-failed ${unit} 2>/dev/null; :`,
};
