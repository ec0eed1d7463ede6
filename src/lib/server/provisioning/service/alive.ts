/**
 * A function of `sh` that prints the process id of the hive that uses a folder, or nothing. The hive's lock names the
 * process together with its start time, so that another process which got the same number is never taken for it.
 */
export const aliveFunction = `started_at() {
  if [ -r "/proc/$1/stat" ]; then
    s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    s=\${s##*) }
    set -- $s
    case $1 in Z|X) return 0 ;; esac
    shift 19
    printf '%s/%s' "$(cat /proc/sys/kernel/random/boot_id)" "$1"
  elif [ ! -r /proc/stat ]; then
    ps -o lstart= -p "$1" 2>/dev/null | sed 's/^ *//; s/ *$//'
  fi
}
hive_pid() {
  [ -r "$1/hive.lock" ] || return 0
  l=$(tr -d '\\n' <"$1/hive.lock" 2>/dev/null)
  n=$(printf '%s' "$l" | sed -n 's/.*"pid" *: *\\([0-9]*\\).*/\\1/p')
  w=$(printf '%s' "$l" | sed -n 's/.*"started_at" *: *"\\([^"]*\\)".*/\\1/p')
  [ -n "$n" ] && [ -n "$w" ] || return 0
  [ "$(started_at "$n")" != "$w" ] || printf '%s' "$n"
}`;
