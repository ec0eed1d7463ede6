import { RbeeError, type Beehive } from "@rbee/contract";
import type { MachineAccess } from "../access.ts";
import { addressKey } from "../addresses.ts";
import { exec, type SshTarget } from "../ssh/index.ts";
import type { Machines } from "../types.ts";
import type { BeehiveStore } from "./store.ts";

type BeehiveRegistry = Machines["beehives"];

/** The last words of paths under `/v2/registry/beehives`, which are no machines. */
const reserved = new Set(["add", "list", "update"]);
const nameLimit = 64;
/** A shell that has not answered by then will not run an installation either. Milliseconds. */
const shellLimitMs = 15_000;

/** The machines that the queen reaches over SSH: each address and each name once, none that was not reached before. */
export function createBeehives({
  store,
  access,
}: {
  store: BeehiveStore;
  access: Pick<MachineAccess, "resolve" | "withMachineQuietly">;
}): BeehiveRegistry {
  /** Names and addresses that somebody is adding just now, while their connection is tested. */
  const claimed = new Set<string>();

  const get = (name: string): Beehive => {
    const beehive = store.find(name);
    if (beehive !== undefined) return beehive;
    const names = store.list().map((each) => each.name);
    throw new RbeeError("node_not_found", `No machine is registered as ${name}.`, {
      details: { registered: names },
      suggestion:
        names.length === 0
          ? "`rbee hive add TARGET` registers one."
          : `Registered are: ${names.join(", ")}. \`rbee hive add TARGET\` registers another.`,
    });
  };

  const refuseName = (name: string) => {
    if (reserved.has(name))
      throw new RbeeError("invalid_request", `A machine cannot be called ${name}.`, { param: "name" });
    const taken = store.find(name);
    if (taken !== undefined) throw alreadyThere(`A machine ${name} is registered already, at ${taken.target}.`, taken);
  };

  /** One that cannot be resolved any more (its alias is gone) is no duplicate of anything. */
  const atAddress = async (key: string, except: string | undefined): Promise<Beehive | undefined> => {
    for (const beehive of store.list()) {
      if (beehive.name === except) continue;
      const target = await access.resolve(beehive.target).catch(() => undefined);
      if (target !== undefined && addressKey(target) === key) return beehive;
    }
    return undefined;
  };

  const refuseAddress = async (target: SshTarget, destination: string, except: string | undefined) => {
    const taken = store.findByTarget(destination) ?? (await atAddress(addressKey(target), except));
    if (taken === undefined || taken.name === except) return;
    throw alreadyThere(`${destination} is registered already, as ${taken.name} (${taken.target}).`, taken);
  };

  /** Runs `work` while nobody else may add what these keys stand for. */
  const claiming = async <T>(keys: readonly string[], work: () => Promise<T>): Promise<T> => {
    for (const key of keys)
      if (claimed.has(key))
        throw new RbeeError("already_exists", "This machine is just being registered.", {
          suggestion: "Wait a moment, then look at `rbee hive list`.",
        });
    for (const key of keys) claimed.add(key);
    try {
      return await work();
    } finally {
      for (const key of keys) claimed.delete(key);
    }
  };

  return {
    list: () => store.list(),
    async add({ target: destination, ssh, ...input }, signal) {
      const target = await access.resolve(destination);
      const name = input.name ?? target.name.slice(0, nameLimit);
      return claiming([`name ${name}`, `address ${addressKey(target)}`], async () => {
        refuseName(name);
        await refuseAddress(target, destination, undefined);
        await access.withMachineQuietly(destination, ssh, signal, tryShell(signal));
        return store.save({
          name,
          target: destination,
          hivePort: input.hive_port,
          autoStart: input.auto_start,
          installMethod: input.install_method,
          hiveId: null,
        });
      });
    },
    async update({ name, new_name: newName = name, ssh, ...changes }, signal) {
      const before = get(name);
      const destination = changes.target ?? before.target;
      const moves = destination !== before.target;
      const renames = newName !== name;
      const target = moves ? await access.resolve(destination) : undefined;
      const keys = [
        ...(renames ? [`name ${newName}`] : []),
        ...(target === undefined ? [] : [`address ${addressKey(target)}`]),
      ];
      return claiming(keys, async () => {
        if (renames) refuseName(newName);
        if (target !== undefined) {
          await refuseAddress(target, destination, name);
          await access.withMachineQuietly(destination, ssh, signal, tryShell(signal));
        }
        // Read again: the test took a while, and only what was asked for is to change.
        const now = get(name);
        store.replace(name, {
          name: newName,
          target: destination,
          hivePort: changes.hive_port ?? now.hive_port,
          autoStart: changes.auto_start ?? now.auto_start,
          installMethod: changes.install_method ?? now.install_method,
          hiveId: now.hive_id,
        });
        return get(newName);
      });
    },
    remove(name) {
      get(name);
      store.remove(name);
    },
  };
}

/** Signing in is not enough: accounts without a shell let people sign in, too. */
const tryShell = (signal: AbortSignal) => async (connection: Parameters<typeof exec>[0]) => {
  await exec(connection, ["true"], { name: "test the connection", signal, timeoutMs: shellLimitMs });
};

function alreadyThere(message: string, { name, target }: Beehive): RbeeError {
  return new RbeeError("already_exists", message, {
    details: { name, target },
    suggestion: `Change it with \`rbee hive update ${name} …\`, or forget it with \`rbee hive remove ${name}\`.`,
  });
}
