import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JobEvent, JobRequest, ResultEvent, SshAccess } from "@rbee/contract";
import { startHousehold, type Household, type HouseholdOptions } from "./household.ts";
import { followJob } from "./job-stream.ts";
import { projectRoot } from "./process.ts";
import { sshSetting, type SshSetting } from "./ssh-host/setting.ts";
import type { SshHost, SshHostOptions } from "./ssh-host/host.ts";

type InstallRequest = Extract<JobRequest, { operation: "hive_install" }>;

/** A queen without a hive of her own, and machines that she may make hives of. */
export interface Installing {
  readonly household: Household;
  readonly ssh: SshSetting;
  /** A bare machine, known to the queen by this alias and by its host key. */
  machine(
    alias: string,
    options?: SshHostOptions & { loopback?: boolean; known?: boolean; lines?: readonly string[] },
  ): Promise<SshHost>;
  /** Writes a host into the queen's ssh config. */
  configure(alias: string, lines: readonly string[]): void;
  /** Trusts a host's key as a person's `known_hosts` would. */
  trust(host: SshHost): void;
  start(request: JobRequest): Promise<string>;
  install(target: string, change?: Partial<InstallRequest> & { ssh?: SshAccess }): Promise<Told>;
  /** Runs a job to its end. */
  run(request: JobRequest): Promise<Told>;
  follow(jobId: string): AsyncGenerator<JobEvent>;
  stop(): Promise<void>;
}

/** Everything that a job told. */
export interface Told {
  readonly jobId: string;
  readonly events: readonly JobEvent[];
  readonly result: ResultEvent;
  /** The steps that ended, in their order, with how they did. */
  readonly steps: readonly string[];
  /** All messages, one a line. */
  readonly text: string;
}

/** What a job told, as tests look at it. */
export function toldBy(jobId: string, events: readonly JobEvent[]): Told {
  const result = events.at(-1);
  if (result?.type !== "result") throw new Error(`the job ${jobId} has no result`);
  const narrations = events.flatMap((event) => (event.type === "narration" ? [event] : []));
  return {
    jobId,
    events,
    result,
    steps: narrations.flatMap(({ action, data }) =>
      typeof data?.["state"] === "string" && data["state"] !== "started" ? [`${action} ${data["state"]}`] : [],
    ),
    text: narrations.map(({ action, message }) => `${action}: ${message}`).join("\n"),
  };
}

/** The job, which must have succeeded. @throws Error with everything it told when it did not */
export function succeeded(told: Told): Told {
  if (told.result.status === "succeeded") return told;
  throw new Error(`the job ${told.result.status}: ${JSON.stringify(told.result.error, null, 2)}\n${told.text}`);
}

/** The archive is the same for every household of a run, so it is made once. */
const bundles = join(projectRoot, "node_modules", ".cache", "rbee-test-bundles");

export async function startInstalling(options: HouseholdOptions = {}): Promise<Installing> {
  const ssh = await sshSetting();
  const config = join(ssh.home, ".ssh", "config");
  const knownHosts = join(ssh.home, ".ssh", "known_hosts");
  const entries = new Map<string, readonly string[]>();
  const writeConfig = () => {
    const hosts = [...entries].map(([alias, lines]) =>
      [`Host ${alias}`, ...lines.map((line) => `  ${line}`)].join("\n"),
    );
    const rest = [
      "Host *",
      `  IdentityFile "${ssh.key.path}"`,
      "  IdentitiesOnly yes",
      "  IdentityAgent none",
      `  UserKnownHostsFile "${knownHosts}"`,
      "  GlobalKnownHostsFile /dev/null",
    ];
    writeFileSync(config, `${[...hosts, rest.join("\n")].join("\n")}\n`);
  };
  writeConfig();
  writeFileSync(knownHosts, "");
  const household = await startHousehold({
    localHive: false,
    ...options,
    env: { RBEE_HOST: "0.0.0.0", RBEE_SSH_CONFIG: config, ...options.env },
  });
  mkdirSync(bundles, { recursive: true });
  symlinkSync(bundles, join(household.home, "bundles"));

  const follow = (jobId: string) => followJob(household.admin, jobId);
  const whole = async (jobId: string): Promise<Told> => {
    const events: JobEvent[] = [];
    for await (const event of follow(jobId)) events.push(event);
    return toldBy(jobId, events);
  };
  const start = async (request: JobRequest) => (await household.admin.startJob({ body: request })).job_id;
  const installing: Installing = {
    household,
    ssh,
    async machine(alias, { known = true, lines = [], ...hostOptions } = {}) {
      const host = await ssh.host(hostOptions);
      installing.configure(alias, [`HostName ${host.address}`, `Port ${host.port}`, `User ${host.user}`, ...lines]);
      if (known) installing.trust(host);
      return host;
    },
    configure(alias, lines) {
      entries.set(alias, lines);
      writeConfig();
    },
    trust(host) {
      const key = readFileSync(join(host.folder, "host_ed25519.pub"), "utf8").split(" ").slice(0, 2).join(" ");
      const name = host.port === 22 ? host.address : `[${host.address}]:${host.port}`;
      const others = readFileSync(knownHosts, "utf8")
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith(`${name} `));
      writeFileSync(knownHosts, [...others, `${name} ${key}`, ""].join("\n"));
    },
    start,
    run: async (request) => whole(await start(request)),
    install: async (target, change = {}) =>
      whole(
        await start({
          operation: "hive_install",
          target,
          method: { bundle: {} },
          hive_port: 7835,
          auto_start: true,
          ...change,
        }),
      ),
    follow,
    async stop() {
      await household.stop();
      await ssh.remove();
    },
  };
  return installing;
}
