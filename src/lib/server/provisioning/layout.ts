/** Where things are on a machine that rbee is installed on. All paths are absolute. */
export interface Layout {
  /** The hive's data: `hive.json`, models, logs, and the trees of its versions. */
  readonly hive: string;
  /** Symbolic link to the tree that runs. */
  readonly current: string;
  /** Symbolic link to the tree that ran before, for a rollback. */
  readonly previous: string;
  /** `hive.json`: who the hive is and whom it reports to. */
  readonly identity: string;
  /** Symbolic link by which a person starts the program. */
  readonly program: string;
  /** Where the git method clones to. */
  readonly source: string;
  readonly logs: string;
}

/**
 * The places on a machine whose account has this home folder.
 * @param paths the settings `remote.binary_path` and `remote.git_repo_dir`, in which `~/` is that home folder
 */
export function layoutOf(home: string, paths: { remoteBinaryPath: string; remoteGitRepoDir: string }): Layout {
  const base = home === "/" ? "" : home.replace(/\/+$/u, "");
  const absolute = (path: string) =>
    path.startsWith("/") ? path : `${base}/${path === "~" ? "" : path.replace(/^~\//u, "")}`;
  const hive = `${base}/.local/share/rbee/hive`;
  return {
    hive,
    current: `${hive}/current`,
    previous: `${hive}/previous`,
    identity: `${hive}/hive.json`,
    program: absolute(paths.remoteBinaryPath),
    source: absolute(paths.remoteGitRepoDir),
    logs: `${hive}/logs`,
  };
}

/** The name of a version's folder beside `current`. */
export function treeName({ version, build }: { version: string; build: string }): string {
  return `${version}-${build}`;
}

/** Whether a name in the hive's folder is that of a tree, so that nothing else is ever taken for one and removed. */
export function isTreeName(name: string): boolean {
  return /^\d+\.\d+\.\d+[\w.+-]*-[0-9a-f]{8,12}$/u.test(name);
}

/** What interrupted installations leave in the hive's folder, as a pattern of `sh`. */
export const leftoverPatterns = [".*.part", ".bundle.tar.gz*", ".current.new", ".previous.new"] as const;
