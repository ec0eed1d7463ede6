import { userInfo } from "node:os";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { askSsh } from "./ask-ssh.ts";
import { expandTokens } from "./expand.ts";
import { entriesFor, namedHosts, readConfigFile, type ConfigBlock } from "./ssh-config-file.ts";
import { isHostName, parseDestination, type Destination, type SshTarget } from "./target.ts";

/** Where the person's ssh settings live; everything has the default that `ssh` itself uses. */
export interface ResolveOptions {
  /** The home folder: what `~` and `%d` stand for. */
  readonly home?: string | undefined;
  /** The ssh config file to read instead of the person's and the system's. */
  readonly configPath?: string | undefined;
  /** Appended to bare host names that are neither aliases nor `localhost`: the setting `[network] domain`. */
  readonly domain?: string | undefined;
  /** The environment that `SSH_AUTH_SOCK` is read from. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Whether to ask `ssh -G`, which knows every keyword. By default it is asked where it exists and `home` is the
   * account's own, for `ssh` ignores any other. Like `ssh` itself it runs the commands of `Match exec` lines in the
   * person's own config; our own reading of the file never does and leaves such blocks out.
   */
  readonly askSsh?: boolean | undefined;
}

/** What a config says about one host, by keyword in lower case. */
export type HostSettings = ReadonlyMap<string, readonly string[]>;

const defaultKeys = ["id_rsa", "id_ecdsa", "id_ed25519"];
const mostJumps = 8;

/**
 * Finds out how `ssh DESTINATION` would connect: address, user, port, keys, agent and hosts to jump over.
 * @throws RbeeError `invalid_request` when the destination or the config's answer is not a plain host name,
 *   or when the config asks for something that cannot be done here (`ProxyCommand`)
 */
export async function resolveTarget(destination: string, options: ResolveOptions = {}): Promise<SshTarget> {
  return resolve(parseDestination(destination), context(options), []);
}

/** The hosts that the person's ssh config names outright, in its order: what "pick a machine" offers. */
export function listSshHosts(options: ResolveOptions = {}): string[] {
  return namedHosts(context(options).config).filter(isHostName);
}

interface Context {
  readonly options: ResolveOptions;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config: ConfigBlock;
  readonly hosts: ReadonlySet<string>;
}

function context(options: ResolveOptions): Context {
  const home = options.home ?? userInfo().homedir;
  const folder = join(home, ".ssh");
  const files =
    options.configPath === undefined
      ? [readConfigFile(join(folder, "config"), home, folder), readConfigFile("/etc/ssh/ssh_config", home, "/etc/ssh")]
      : [readConfigFile(options.configPath, home, folder)];
  const config: ConfigBlock = { applies: () => true, patterns: [], entries: files };
  return { options, home, env: options.env ?? process.env, config, hosts: new Set(namedHosts(config)) };
}

async function resolve(asked: Destination, around: Context, through: readonly string[]): Promise<SshTarget> {
  const destination = { ...asked, host: withDomain(asked.host, around) };
  const settings = (await settingsFromSsh(destination, around)) ?? settingsFromFile(destination, around);
  const one = (keyword: string) => settings.get(keyword)?.[0];
  const user = destination.user ?? one("user") ?? userInfo().username;
  const host = expandTokens(one("hostname") ?? destination.host, { home: around.home, host: destination.host });
  const port = destination.port ?? Number(one("port") ?? 22);
  if (!isHostName(host)) throw misconfigured(asked.host, `its HostName "${host}" is not a host name`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw misconfigured(asked.host, `its Port is not one`);
  refuseProxyCommand(asked.host, one("proxycommand"));
  const tokens = { home: around.home, host, original: destination.host, port, user, env: around.env };
  const paths = (words: readonly string[]) =>
    words.filter((word) => word !== "" && word !== "none").map((word) => expandTokens(word, tokens, around.home));
  const folder = join(around.home, ".ssh");
  return {
    name: asked.host,
    host,
    port,
    user,
    identityFiles: paths(settings.get("identityfile") ?? defaultKeys.map((name) => join(folder, name))),
    identitiesOnly: one("identitiesonly")?.toLowerCase() === "yes",
    agentSocket: agentSocket(one("identityagent"), around, paths),
    hostKeyAlias: one("hostkeyalias") ?? null,
    knownHostsFiles: paths([
      ...(settings.get("userknownhostsfile") ?? [join(folder, "known_hosts"), join(folder, "known_hosts2")]),
      ...(settings.get("globalknownhostsfile") ?? ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]),
    ]),
    jumps: await resolveJumps(asked.host, one("proxyjump"), around, through),
  };
}

function withDomain(host: string, { options, hosts }: Context): string {
  const domain = options.domain?.replace(/^\./, "");
  if (domain === undefined || domain === "" || /[.:]/.test(host) || host === "localhost" || hosts.has(host))
    return host;
  return `${host}.${domain}`;
}

async function settingsFromSsh(destination: Destination, around: Context): Promise<HostSettings | null> {
  const ownHome = around.home === userInfo().homedir;
  if (!(around.options.askSsh ?? ownHome)) return null;
  return askSsh(destination, around.options.configPath);
}

/** As in ssh, the first line that says something wins; only `IdentityFile` lines add up. */
function settingsFromFile(destination: Destination, around: Context): HostSettings {
  const settings = new Map<string, string[]>();
  const user = destination.user ?? userInfo().username;
  const host = { original: destination.host, host: destination.host, user };
  for (const { keyword, words } of entriesFor(around.config, host)) {
    const known = settings.get(keyword);
    if (known === undefined) settings.set(keyword, [...words]);
    else if (keyword === "identityfile") known.push(...words);
  }
  return settings;
}

function agentSocket(
  setting: string | undefined,
  { env }: Context,
  paths: (words: readonly string[]) => string[],
): string | null {
  if (setting === "none") return null;
  if (setting === undefined || setting === "SSH_AUTH_SOCK") return env["SSH_AUTH_SOCK"] ?? null;
  if (setting.startsWith("$")) return env[setting.slice(1).replace(/^\{(.*)\}$/, "$1")] ?? null;
  return paths([setting])[0] ?? null;
}

/** The first hop may need hops of its own; the following ones are reached through their predecessor. */
async function resolveJumps(
  host: string,
  setting: string | undefined,
  around: Context,
  through: readonly string[],
): Promise<SshTarget[]> {
  if (setting === undefined || setting === "" || setting.toLowerCase() === "none") return [];
  if (through.includes(host) || through.length >= mostJumps)
    throw misconfigured(host, "its ProxyJump goes in a circle");
  const jumps: SshTarget[] = [];
  for (const hop of setting.split(",")) {
    const target = await resolve(parseDestination(hop.trim().replace(/^ssh:\/\//, "")), around, [...through, host]);
    if (jumps.length === 0) jumps.push(...target.jumps);
    jumps.push({ ...target, jumps: [] });
  }
  return jumps;
}

function refuseProxyCommand(host: string, command: string | undefined): void {
  if (command === undefined || command.toLowerCase() === "none") return;
  throw misconfigured(host, "it asks for a ProxyCommand, which rbee does not run", "Use ProxyJump instead.");
}

function misconfigured(host: string, why: string, suggestion = "Mend the host's entry in ~/.ssh/config."): RbeeError {
  return new RbeeError("invalid_request", `The ssh config of ${host} cannot be used: ${why}.`, {
    param: "target",
    suggestion,
  });
}
