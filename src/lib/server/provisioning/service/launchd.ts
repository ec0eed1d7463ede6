import { quote } from "../ssh/index.ts";
import type { Layout } from "../layout.ts";
import { killAfterS, type HiveService } from "./service.ts";

const label = "org.rbee.hive";
const file = `"$HOME/Library/LaunchAgents/${label}.plist"`;
/** The account's graphical session where there is one, else its background session. */
const domain = `d=gui/$(id -u); launchctl print "$d" >/dev/null 2>&1 || d=user/$(id -u)`;

const xml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The property list of the launch agent (launchd.plist(5)). */
export function plistText(
  { current, hive, logs }: Pick<Layout, "current" | "hive" | "logs">,
  { autoStart }: { autoStart: boolean },
): string {
  const args = [`${current}/bin/rbee-hive`, "--home", hive].map((arg) => `    <string>${xml(arg)}</string>`).join("\n");
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${label}</string>
  <key>ProgramArguments</key>
  <array>
${args}
  </array>
  <key>RunAtLoad</key>
  <${String(autoStart)}/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>${killAfterS}</integer>
  <key>StandardOutPath</key>
  <string>/dev/null</string>
  <key>StandardErrorPath</key>
  <string>${xml(`${logs}/service.log`)}</string>
</dict>
</plist>
`;
}

export const launchdService: HiveService = {
  kind: "launchd",
  words: "as a launch agent of the account",
  install: (layout, options) => `mkdir -p "$HOME/Library/LaunchAgents" ${quote(layout.logs)} || exit 1
printf %s ${quote(plistText(layout, options))} >${file}.new && mv -f ${file}.new ${file}`,
  start: (layout) => `${domain}
: >${quote(`${layout.logs}/service.log`)}
launchctl bootout "$d/${label}" >/dev/null 2>&1
n=0
while ! launchctl bootstrap "$d" ${file} 2>/dev/null; do
  n=$((n+1)); [ $n -lt 10 ] || { launchctl bootstrap "$d" ${file}; exit 1; }
  sleep 1
done
launchctl kickstart -p "$d/${label}" 2>/dev/null | sed 's/[^0-9]//g'`,
  stop: () => `${domain}
launchctl bootout "$d/${label}" >/dev/null 2>&1; :`,
  status: () => `${domain}
launchctl print "$d/${label}" 2>/dev/null | grep -q '^[[:space:]]*pid = [0-9]' || exit 3`,
  lastWords: (layout) => `tail -n 15 ${quote(`${layout.logs}/service.log`)} 2>/dev/null`,
  remove: () => `${domain}
launchctl bootout "$d/${label}" >/dev/null 2>&1
rm -f ${file}`,
};
