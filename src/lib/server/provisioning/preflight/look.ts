import { exec, quote, type SshConnection } from "../ssh/index.ts";
import type { Layout } from "../layout.ts";
import { aliveFunction } from "../service/index.ts";

const limitMs = 40_000;

/**
 * Looks at a machine, changing nothing there: one script whose lines are `fact<TAB>value`, for `readFacts`.
 * @throws {RbeeError} as `exec` does
 */
export async function look(
  connection: SshConnection,
  layout: Layout,
  port: number,
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await exec(connection, lookScript(layout, port), {
    name: "preflight",
    signal,
    timeoutMs: limitMs,
  });
  return stdout;
}

/** The script, in the POSIX shell that every supported machine has; what is not there gives no line. */
export function lookScript(layout: Layout, port: number): string {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return `hive=${quote(layout.hive)}
program=${quote(layout.program)}
source=${quote(layout.source)}
port=${port}
say() { printf '%s\\t%s\\n' "$1" "$2"; }
have() { command -v "$1" >/dev/null 2>&1; }
brief() { if have timeout; then timeout 10 "$@"; else "$@"; fi; }
up() { p=$1; while [ ! -e "$p" ] && [ "$p" != / ]; do p=$(dirname -- "$p"); done; printf '%s' "$p"; }
${aliveFunction}
say os "$(uname -s)"
say arch "$(uname -m)"
say user "$(id -un 2>/dev/null || id -u)"
say hostname "$(uname -n)"
if [ -r /etc/os-release ]; then say os_name "$(. /etc/os-release 2>/dev/null; printf %s "$PRETTY_NAME")"
elif have sw_vers; then say os_name "macOS $(sw_vers -productVersion)"; fi
if c=$(getconf GNU_LIBC_VERSION 2>/dev/null); then say glibc "\${c#glibc }"
elif ls /lib/ld-musl-* >/dev/null 2>&1; then say musl yes; fi
say threads "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null)"
if [ -r /proc/meminfo ]; then say ram_kb "$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)"
else say ram_bytes "$(sysctl -n hw.memsize 2>/dev/null)"; fi
say disk "$(df -Pk "$(up "$hive")" 2>/dev/null | tail -n 1)"
for place in "$hive" "$(dirname -- "$program")"; do
  p=$(up "$place")
  if [ ! -d "$p" ]; then say not_a_folder "$p"
  elif ! [ -w "$p" ] || ! [ -x "$p" ]; then say not_writable "$p"; fi
done
if [ -L "$program" ]; then
  case $(readlink "$program") in */current/bin/rbee-hive) ;; *) say program_is_foreign "$program" ;; esac
elif [ -e "$program" ]; then say program_is_foreign "$program"; fi
for tool in tar gzip sha256sum shasum openssl git npm setsid perl; do if have $tool; then say tool $tool; fi; done
if have node; then say node "$(node --version 2>/dev/null)"; fi
if [ -r /proc/net/tcp ]; then
  if cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "^ *[0-9]*: [0-9A-F]*:${hexPort} [0-9A-F]*:0000 0A "; then
    say port_taken "$(have ss && ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:(("\\([^"]*\\)",pid=\\([0-9]*\\).*/\\1 (process \\2)/p' | head -n 1)"
  fi
elif have lsof; then
  holder=$(lsof -nP -iTCP:$port -sTCP:LISTEN 2>/dev/null | sed -n '2s/^\\([^ ]*\\) *\\([0-9]*\\).*/\\1 (process \\2)/p')
  [ -z "$holder" ] || say port_taken "$holder"
elif have netstat; then
  if netstat -an 2>/dev/null | grep -q "^tcp.*[.:]$port .*LISTEN"; then say port_taken ""; fi
fi
if have nvidia-smi; then
  if cards=$(brief nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>&1); then
    printf '%s\\n' "$cards" | while IFS= read -r card; do say nvidia "$card"; done
  else say nvidia_broken "$(printf '%s' "$cards" | head -n 1)"; fi
fi
for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] || continue
  case $(cat "$device/class") in 0x03*) ;; *) continue ;; esac
  driver=; if [ -L "$device/driver" ]; then driver=$(basename -- "$(readlink "$device/driver")"); fi
  say display "$(cat "$device/vendor") $driver"
done
XDG_RUNTIME_DIR=\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR
if have systemctl && brief systemctl --user show-environment >/dev/null 2>&1; then say service systemd
elif [ "$(uname -s)" = Darwin ] && have launchctl; then say service launchd
else say service none; fi
if [ -r "$hive/current/bundle.json" ]; then
  say current "$(tr -d '\\n' <"$hive/current/bundle.json")"
  say current_tree "$(basename -- "$(readlink "$hive/current")")"
fi
if [ -r "$hive/hive.json" ]; then
  say hive_id "$(tr -d '\\n' <"$hive/hive.json" | sed -n 's/.*"hive_id" *: *"\\([^"]*\\)".*/\\1/p')"
  say queen_url "$(tr -d '\\n' <"$hive/hive.json" | sed -n 's/.*"queen_url" *: *"\\([^"]*\\)".*/\\1/p')"
fi
say running "$(hive_pid "$hive")"
say over yes`;
}
