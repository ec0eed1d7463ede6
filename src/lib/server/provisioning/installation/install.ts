import type { InstallMethod, SshAccess } from "@rbee/contract";
import type { Bundle, BundleManifest } from "@rbee/bundle";
import { narrate } from "@rbee/jobs";
import { type Checked, checkMachine } from "../preflight/index.ts";
import type { Parts } from "../parts.ts";
import { serviceFor } from "../service/index.ts";
import type { InstalledHive } from "../types.ts";
import { treeName } from "../layout.ts";
import { type FoundIdentity, identityFor, readIdentity } from "./identity.ts";
import { nameFor } from "./names.ts";
import { type Remote, run } from "./remote.ts";
import { noChanges, replaceHive } from "./replace.ts";
import { createFolders, prepareBundle, readArchive, sendBundle } from "./sending.ts";
import { buildThere, sourceExists } from "./by-git.ts";
import { readStanding, standingScript, tidyScript, versionScript } from "./trees.ts";
import { type Before, undo } from "./undo.ts";

/** What is to be on a machine in the end. */
export interface Installation {
  readonly target: string;
  readonly method: InstallMethod;
  readonly port: number;
  /** Undefined for the name that it has, or the machine's own. */
  readonly name: string | undefined;
  readonly autoStart: boolean;
  readonly ssh: SshAccess | undefined;
}

/**
 * Makes a machine a hive, or brings another version to one. Done means that the first heartbeat of the new process has
 * arrived; until then everything can be put back, and is when a step fails or the signal aborts.
 * @throws {RbeeError} what the failing step throws.
 */
export async function installOn(parts: Parts, wanted: Installation, signal: AbortSignal): Promise<InstalledHive> {
  const machine = await parts.access.connect(wanted.target, wanted.ssh);
  const checked = await checkMachine(parts, machine, { ...wanted, refuse: true });
  const { layout, facts } = checked;
  const service = serviceFor(facts.machine.service_manager);
  const unnamed: Remote = { machine, layout, service, name: wanted.target };
  const found = await readIdentity(unnamed, signal);
  const standing = readStanding((await run(unnamed, "look", standingScript(layout), signal)).stdout);
  const name = nameFor(parts, {
    name: wanted.name,
    target: wanted.target,
    known: parts.beehives.findByTarget(wanted.target),
    hiveId: found.file?.hive_id ?? null,
    hostname: facts.hostname,
  });
  const remote = { ...unnamed, name };
  narrate({ action: "install_start", message: `Installing rbee on ${wanted.target} as ${name}.` });
  tellOfOthers(parts, remote, checked, found);

  const before: Before = {
    standing,
    identityText: found.text,
    wasRunning: facts.pid !== null,
    autoStart: wanted.autoStart,
  };
  return new Placing(parts, remote, { wanted, checked, found, before }).perform(signal);
}

function tellOfOthers(
  parts: Parts,
  { name }: Remote,
  { facts, queenUrl }: Checked,
  { text, file }: FoundIdentity,
): void {
  const warn = (action: string, message: string) => {
    narrate({ action, level: "warn", message });
  };
  if (text !== null && file === null)
    warn("identity_damaged", `The hive.json on ${name} cannot be read; the hive gets a new identity.`);
  if (
    file?.queen_url !== undefined &&
    file.queen_url !== queenUrl &&
    parts.hives.registry.find(file.hive_id) === undefined
  )
    warn("other_queen", `The hive on ${name} belonged to the queen at ${file.queen_url}. It will report here instead.`);
  if (facts.pid !== null && facts.current === null)
    warn("other_start", `A hive that rbee did not install runs on ${name}. It will be ended and replaced.`);
}

interface Plan {
  readonly wanted: Installation;
  readonly checked: Checked;
  readonly found: FoundIdentity;
  readonly before: Before;
}

/** One installation from the moment on which something may be left behind. */
class Placing {
  readonly #parts: Parts;
  readonly #remote: Remote;
  readonly #plan: Plan;
  readonly #changes = noChanges();

  constructor(parts: Parts, remote: Remote, plan: Plan) {
    this.#parts = parts;
    this.#remote = remote;
    this.#plan = plan;
  }

  async perform(signal: AbortSignal): Promise<InstalledHive> {
    const { method } = this.#plan.wanted;
    try {
      let placed: Placed;
      if ("git" in method) placed = await this.#build(method.git);
      else {
        const bundle =
          "binary" in method
            ? await readArchive(method.binary.path, this.#plan.checked.facts)
            : await prepareBundle(this.#parts, this.#plan.checked.facts);
        const same = this.#sameHive(bundle.manifest);
        if (same !== null) return this.#done(same, bundle.manifest, "already_installed");
        placed = await this.#send(bundle);
      }
      const hiveId = await this.#replace(placed);
      signal.throwIfAborted();
      await this.#tidy(placed.tree, signal);
      return this.#done(hiveId, placed.manifest, "install_complete");
    } catch (error) {
      await undo(this.#parts, this.#remote, this.#plan.before, this.#changes);
      throw error;
    }
  }

  /** The hive's id when exactly this runs there already, and reports here. */
  #sameHive(manifest: BundleManifest): string | null {
    const { checked, found, wanted } = this.#plan;
    const hive = found.file === null ? undefined : this.#parts.hives.registry.find(found.file.hive_id);
    const runs = checked.facts.current?.build === manifest.build && checked.facts.pid !== null;
    if (!runs || hive?.health !== "healthy") return null;
    if (hive.port !== wanted.port || hive.name !== this.#remote.name) return null;
    return hive.hiveId;
  }

  async #send(bundle: Bundle): Promise<Placed> {
    const tree = treeName(bundle.manifest);
    const { trees } = this.#plan.before.standing;
    const isThere = trees.includes(tree) && (await this.#works(tree, bundle.manifest));
    await createFolders(this.#remote, isThere ? null : bundle);
    if (isThere) narrate({ action: "tree_present", message: `Build ${bundle.manifest.build} is there already.` });
    else await sendBundle(this.#remote, bundle);
    return { tree, manifest: bundle.manifest };
  }

  async #build(git: { repo: string; branch: string }): Promise<Placed> {
    const { layout } = this.#remote;
    await createFolders(this.#remote, null);
    this.#changes.sourceIsNew = !(await sourceExists(this.#remote));
    return buildThere(this.#remote, this.#plan.checked.facts, { ...git, source: layout.source });
  }

  /** Whether a tree that is there already can be used as it is. */
  async #works(tree: string, { version }: BundleManifest): Promise<boolean> {
    const script = versionScript(this.#remote.layout, tree);
    const signal = AbortSignal.timeout(20_000);
    const end = await run(this.#remote, "verify", script, signal, { allowFailure: true });
    return end.exitCode === 0 && end.stdout.includes(version);
  }

  async #replace({ tree, manifest }: Placed): Promise<string> {
    const { wanted, found, before, checked } = this.#plan;
    const { current, previous } = before.standing;
    const { port, autoStart } = wanted;
    const identity = identityFor(found.file, { queenUrl: checked.queenUrl ?? "", name: this.#remote.name, port });
    const { version, build } = manifest;
    const replacement = {
      ...{ tree, version, build, identity, port, autoStart },
      previous: current === tree ? previous : current,
      stopFirst: before.wasRunning || current !== null,
    };
    await replaceHive(this.#parts, this.#remote, replacement, this.#changes);
    return identity.hive_id;
  }

  /** What is left over does no harm, so that a failure here fails nothing. */
  async #tidy(tree: string, signal: AbortSignal): Promise<void> {
    const { layout } = this.#remote;
    try {
      const now = readStanding((await run(this.#remote, "look", standingScript(layout), signal)).stdout);
      await run(this.#remote, "tidy", tidyScript(layout, now.trees, [tree, now.current, now.previous]), signal);
    } catch (error) {
      const why = error instanceof Error ? error.message : "unknown error";
      narrate({ action: "not_tidied", level: "warn", message: `Older versions could not be removed: ${why}` });
    }
  }

  #done(hiveId: string, manifest: BundleManifest, action: "already_installed" | "install_complete"): InstalledHive {
    const { wanted } = this.#plan;
    const { name } = this.#remote;
    const { version, build } = manifest;
    remember(this.#parts, { ...wanted, name, hiveId });
    const message =
      action === "already_installed"
        ? `${name} runs build ${build} of rbee ${version} already.`
        : `${name} is a hive of this household: rbee ${version}, build ${build}.`;
    narrate({ action, message, data: { hive_id: hiveId, version, build } });
    return { hive_id: hiveId, name, version, build };
  }
}

/** A tree that is on the machine, not used yet. */
export interface Placed {
  readonly tree: string;
  readonly manifest: BundleManifest;
}

/** Keeps a machine in the registry, under the one name that it has now. */
export function remember(
  { beehives }: Pick<Parts, "beehives">,
  {
    name,
    target,
    port,
    autoStart,
    method,
    hiveId,
  }: Omit<Installation, "ssh" | "name"> & { name: string; hiveId: string | null },
): void {
  const record = { name, target, hivePort: port, autoStart, installMethod: method, hiveId };
  const known = beehives.findByTarget(target) ?? (hiveId === null ? undefined : beehives.findByHive(hiveId));
  if (known === undefined || !beehives.replace(known.name, record)) beehives.save(record);
}
