import { RbeeError } from "@rbee/contract";
import { bundleManifestSchema, manifestFile } from "@rbee/bundle";
import { bindToJob, narrate, step } from "@rbee/jobs";
import { type Layout, treeName } from "../layout.ts";
import { type Facts, hasCuda } from "../preflight/index.ts";
import { exec, fileFailed, lastLines, quote } from "../ssh/index.ts";
import type { Placed } from "./install.ts";
import { readText, type Remote, run } from "./remote.ts";
import { nameTreeScript } from "./trees.ts";

const buildPart = ".git-build.part";
/** The most lines of output that are narrated in a second; the log file has all. */
const linesPerSecond = 5;

/** Whether sources are on the machine already. @throws {RbeeError} as running a command there does */
export async function sourceExists(remote: Remote): Promise<boolean> {
  const script = `[ -e ${quote(remote.layout.source)} ] || exit 3`;
  const signal = AbortSignal.timeout(20_000);
  return (await run(remote, "look", script, signal, { allowFailure: true })).exitCode === 0;
}

/**
 * Refuses what git would take for an option or for a program to run (`ext::…`).
 * @throws {RbeeError} `invalid_request`
 */
export function refuseOddRepository(repo: string): void {
  if (!repo.startsWith("-") && !/^[\w+.-]*::/u.test(repo) && !/[\0\n\r]/u.test(repo)) return;
  throw new RbeeError("invalid_request", `"${repo.slice(0, 100)}" is not a repository that rbee clones.`, {
    param: "method",
    suggestion: "Give an https, ssh or file URL, or a path on that machine.",
  });
}

/** Clones, or brings what is there up to date. */
export function cloneScript(source: string, { repo, branch }: { repo: string; branch: string }): string {
  return `export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=file:git:http:https:ssh GIT_SSH_COMMAND="\${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}"
source=${quote(source)}
if [ -d "$source/.git" ]; then
  cd -- "$source" && git fetch --depth 1 -- ${quote(repo)} ${quote(branch)} && git checkout -f --detach FETCH_HEAD && git clean -fdq -e node_modules
elif [ -e "$source" ]; then
  echo "$source is there already and is no git repository" >&2; exit 1
else
  rm -rf -- "$source.part"
  mkdir -p -- "$(dirname -- "$source")" || exit 1
  git clone --depth 1 -b ${quote(branch)} -- ${quote(repo)} "$source.part" && mv -- "$source.part" "$source"
fi`;
}

/** Runs a command and keeps everything it writes in the log as well; gives the command's own exit code. */
function logged(layout: Layout, command: string): string {
  return `log=${quote(`${layout.logs}/install.log`)}
exec 4>&1
code=$( { { ( ${command}
) 2>&1; echo $? >&3; } | tee -a "$log" >&4; } 3>&1 )
exit $code`;
}

/**
 * The step `building`: clones the repository on the machine and makes the tree there, its output narrated and kept in
 * a log there.
 * @throws {RbeeError} `invalid_request` for a repository that is none; `ssh_command_failed` with the tool's own words;
 *   `insufficient_disk`
 */
export async function buildThere(
  remote: Remote,
  facts: Facts,
  { source, ...git }: { repo: string; branch: string; source: string },
): Promise<Placed> {
  refuseOddRepository(git.repo);
  const { layout, name } = remote;
  const part = `${layout.hive}/${buildPart}`;
  const gpu = hasCuda(facts) ? "cuda" : "none";
  const stages = [
    { stage: "clone", message: `Cloning ${git.repo} (${git.branch})`, script: cloneScript(source, git) },
    {
      stage: "dependencies",
      message: "Installing what the build needs",
      // Nothing that rbee needs has an install script; npm would build better-sqlite3 from source without need.
      script: `cd -- ${quote(source)} && CI=1 npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund`,
    },
    {
      stage: "bundle",
      message: "Building",
      script: `cd -- ${quote(source)} && rm -rf -- ${quote(part)} && node scripts/bundle.js --gpu ${gpu} --out ${quote(part)}`,
    },
  ];
  const placed = await step("building", { timeoutMs: 3_600_000, message: `Building on ${name}` }, async (signal) => {
    await run(remote, "begin a log", `: >${quote(`${layout.logs}/install.log`)}`, signal);
    for (const { stage, message, script } of stages)
      await step(stage, { timeoutMs: 3_600_000, message }, (during) => runStage(remote, stage, script, during));
    const text = await readText(remote, `${part}/${manifestFile}`, signal);
    const manifest = bundleManifestSchema.safeParse(JSON.parse(text ?? "null"));
    if (!manifest.success) throw new Error(`The build on ${name} left no ${manifestFile} that can be read.`);
    return { tree: treeName(manifest.data), manifest: manifest.data };
  });
  narrate({ action: "build_complete", message: `Built ${placed.tree} on ${name}.` });
  await step("chmod", { timeoutMs: 30_000, message: "Setting permissions" }, async (signal) => {
    await run(remote, "chmod", nameTreeScript(layout, buildPart, placed.tree), signal);
  });
  return placed;
}

async function runStage(remote: Remote, stage: string, script: string, signal: AbortSignal): Promise<void> {
  const { machine, layout } = remote;
  // The connection may be older than this job, and its events then are not the job's.
  const tell = bindToJob(narrator(remote.name));
  await machine.use(signal, async (connection) => {
    const end = await exec(connection, logged(layout, script), {
      name: stage,
      signal,
      onStdout: tell,
      allowFailure: true,
    });
    if (end.exitCode === 0) return;
    const said = lastLines(end.stdout, 20);
    const failed = await fileFailed(
      connection,
      { action: "write", path: layout.source },
      { ...end, stderr: end.stdout },
    );
    if (failed.code === "insufficient_disk") throw failed;
    const telling = said.filter((line) => !/complete log of this run|^\s*at /u.test(line));
    const words =
      telling.findLast((line) => /error|fatal|fail|cannot|denied/iu.test(line)) ?? telling.at(-1) ?? "it said nothing";
    throw new RbeeError(
      "ssh_command_failed",
      `"${stage}" failed with exit code ${end.exitCode} on ${remote.name}: ${words}`,
      {
        details: {
          host: machine.target.name,
          step: stage,
          exit_code: end.exitCode,
          signal: end.signal,
          last_lines: said,
        },
        suggestion: suggestions[stage],
      },
    );
  });
}

const suggestions: Readonly<Record<string, string>> = {
  clone: "Check the repository's address and branch, and that the machine may read it without a password.",
  dependencies: "Check that the machine reaches npm's registry, or let the queen send a bundle instead.",
  bundle: "The last lines are the build's own words; let the queen send a bundle instead if they do not help.",
};

/** Narrates output as it comes, but no more than a person can follow. */
function narrator(host: string): (line: string) => void {
  let second = 0;
  let count = 0;
  return (line) => {
    const now = Math.floor(performance.now() / 1000);
    count = now === second ? count + 1 : 1;
    second = now;
    if (count <= linesPerSecond && line.trim() !== "")
      narrate({ action: "output", level: "debug", message: line.slice(0, 500), data: { host } });
  };
}
