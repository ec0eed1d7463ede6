import { randomBytes } from "node:crypto";

/** A command as a line of `sh`, or as a program with its arguments, which are quoted. */
export type RemoteCommand = string | readonly [string, ...string[]];

/** What is asked of the remote shell. */
export interface RemoteScript {
  readonly command: RemoteCommand;
  /** The folder to run in; `~/` stands for the home folder. */
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Lets the command read the channel itself, which ends with the channel; it then has no group of its own. */
  readonly feeds?: boolean | undefined;
  /** What the command reads, a few KB at most since it travels inside the script; nothing by default. */
  readonly stdin?: string | Uint8Array | undefined;
}

/** How to start a script so that neither the account's shell nor its start-up files get in the way. */
export interface ShellStart {
  /** The command line for the login shell; it means the same to sh, bash, zsh, csh and fish. */
  readonly commandLine: string;
  /** What to write to its stdin first. */
  readonly input: string;
  /** Everything on stdout and on stderr before and including this line is noise of start-up files. */
  readonly marker: string;
}

/** Written to the script's stdin to have its whole process group ended; the end of stdin means the same. */
export const stopLine = "stop\n";
/** How long the group may take to end by itself before it is killed, in seconds. */
const graceS = 2;
const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Quotes text so that `sh` takes it as one word, whatever it holds. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Quotes a path on the host; a leading `~/` stands for the account's home folder. */
export function quotePath(path: string): string {
  if (path === "~") return '"$HOME"';
  return path.startsWith("~/") ? `"$HOME"/${quote(path.slice(2))}` : quote(path);
}

/** The command as a line of `sh`. */
export function commandLine(command: RemoteCommand): string {
  return typeof command === "string" ? command : command.map(quote).join(" ");
}

/**
 * Wraps a command so that it runs under `/bin/sh` in a process group of its own, which ends when stdin says `stop`
 * or closes: nothing goes on over there once nobody listens here. The exit code is the command's.
 * @throws TypeError when a name in `env` is not one
 */
export function startShell(script: RemoteScript): ShellStart {
  const [head, tail] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
  const marker = `${head}${tail}`;
  // One line without backslashes, exclamation marks or inner quotes, for csh and fish read those in their own way.
  // The marker is put together by the shell, so that a shell which echoes commands does not print it too early.
  const print = `echo ${head}\${nothing}${tail}`;
  const shell = `exec /bin/sh -c '${print}; ${print} >&2; IFS= read -r script && eval "$(printf %b "$script")"'`;
  const input = `${oneLine(script.feeds === true ? innerScript(script) : supervise(script))}\n`;
  return { commandLine: shell, input, marker };
}

/** Bytes as one line that `printf %b` turns back into them. */
function oneLine(data: string | Uint8Array): string {
  let line = "";
  for (const byte of typeof data === "string" ? Buffer.from(data) : data) {
    const plain = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
    line += plain ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, "0")}`;
  }
  return line;
}

/** The command with its folder, environment and input, as a script of its own. */
function innerScript({ command, cwd, env = {}, stdin }: RemoteScript): string {
  const lines = Object.entries(env).map(([name, value]) => {
    if (!environmentName.test(name)) throw new TypeError(`"${name}" is not the name of an environment variable`);
    return `export ${name}=${quote(value)}`;
  });
  if (cwd !== undefined) lines.push(`cd -- ${quotePath(cwd)} || exit 126`);
  const line = commandLine(command);
  lines.push(stdin === undefined ? line : `printf %b '${oneLine(stdin)}' | /bin/sh -c ${quote(line)}`);
  return lines.join("\n");
}

/**
 * The script that runs on the host. `setsid` gives the command a group of its own; where it is missing (macOS), job
 * control or perl does. fd 3 is the line to us. The watcher ends the group on our word and stays until it is gone;
 * meanwhile it is deaf to the TERM by which the script dismisses it when the command has ended by itself.
 * What the shell itself has to say about killed jobs is nobody's output, so it loses stdout and stderr.
 */
function supervise(script: RemoteScript): string {
  return `exec 3<&0
c=${quote(innerScript(script))}
g=
if command -v setsid >/dev/null 2>&1; then
  setsid /bin/sh -c "$c" </dev/null 3<&- &
else
  set -m 2>/dev/null
  case $- in
    *m*) /bin/sh -c "$c" </dev/null 3<&- & ;;
    *)
      if command -v perl >/dev/null 2>&1; then
        perl -e 'setpgrp(0,0); exec @ARGV' /bin/sh -c "$c" </dev/null 3<&- &
      else
        g=alone
        /bin/sh -c "$c" </dev/null 3<&- &
      fi ;;
  esac
fi
p=$!
set +m
exec >/dev/null 2>&1
if [ -z "$g" ]; then g=-$p; else g=$p; fi
nap() { if sleep 0.1; then n=$((n+1)); else sleep 1; n=$((n+10)); fi; }
(
  IFS= read -r word <&3
  trap '' TERM
  kill -TERM $g
  n=0
  while kill -0 $g && [ $n -lt ${graceS * 10} ]; do nap; done
  kill -KILL $g
  n=0
  while kill -0 $g && [ $n -lt ${graceS * 10} ]; do nap; done
) &
w=$!
exec 3<&-
wait $p
code=$?
kill -TERM $w
wait $w
exit $code
`;
}
