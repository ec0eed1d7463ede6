import { setTimeout as delay } from "node:timers/promises";
import { hiveClient, RbeeError, type Capabilities } from "@rbee/contract";
import { cleanUp, narrate, step } from "@rbee/jobs";
import { urlHost } from "#lib/server/network/index.ts";
import { probeHive } from "../nearby/index.ts";
import type { Parts } from "../parts.ts";
import type { SshConnection, SshTarget } from "../ssh/index.ts";
import type { HiveOperations, InstalledHive } from "../types.ts";
import { noIdentity, readIdentities, type HiveIdentity } from "./identities.ts";

type Request = Parameters<HiveOperations["adopt"]>[0];

const readLimitMs = 30_000;
const askLimitMs = 15_000;
/** A hive that was told where its queen is reports within two seconds. */
const heartbeatLimitMs = 60_000;
const lookEveryMs = 100;
const nameLimit = 64;

/**
 * Takes over a hive that runs already: reads over SSH who it is, and tells it where its queen is. Done means that its
 * first heartbeat has arrived; a hive that does not get so far is not enrolled.
 * @throws {RbeeError} `hive_unreachable` when none is installed, none runs, or its port cannot be reached from here;
 *   `hive_invalid_response` when another hive answers there; `hive_down` when no heartbeat arrives; `already_exists`;
 *   `forbidden` when the account may not read who the hive is; `queen_unreachable`; and as connecting does.
 */
export function adopt(parts: Parts, request: Request, signal: AbortSignal): Promise<InstalledHive> {
  const { target: destination, ssh } = request;
  return parts.oneAtATime.run(destination, "adopting its hive", () =>
    parts.access.withMachine(destination, ssh, signal, (connection) => adoptOn(parts, request, connection)),
  );
}

async function adoptOn(parts: Parts, request: Request, connection: SshConnection): Promise<InstalledHive> {
  const { target: destination, hive_port: port } = request;
  const { target } = connection;
  const identity = await step(
    "identify",
    { timeoutMs: readLimitMs, message: `Finding out which hive runs on ${destination}` },
    (looking) => identify(connection, request, looking),
  );
  const { hiveId } = identity;
  const known = parts.hives.registry.find(hiveId);
  if (known?.enrolment === "local")
    throw new RbeeError("already_exists", "This is the hive of the queen's own machine.", {
      suggestion: "It belongs to the household already.",
    });
  const name = nameFor(parts, request, hiveId);
  const queenUrl = await parts.urlTowards(target.host);
  if (queenUrl === null)
    throw new RbeeError("queen_unreachable", `${destination} cannot reach this queen.`, {
      suggestion: "Let the queen listen on the network (RBEE_HOST), or set RBEE_PUBLIC_URL.",
    });
  if (identity.queenUrl !== null && identity.queenUrl !== queenUrl && known === undefined)
    narrate({
      action: "other_queen",
      level: "warn",
      message: `This hive reported to ${identity.queenUrl}. From now on it reports to this queen.`,
    });

  const startedAt = parts.now();
  const takeBack = parts.hives.expect({ hiveId, token: identity.token, name, enrolment: "adopted" });
  try {
    const capabilities = await step(
      "capabilities",
      { timeoutMs: askLimitMs, message: `Telling the hive on ${destination} where its queen is` },
      (asking) => introduce(identity, { destination, host: target.host, port, queenUrl, signal: asking }),
    );
    await step(
      "wait_heartbeat",
      { timeoutMs: heartbeatLimitMs + 5_000, message: `Waiting for the first heartbeat of ${destination}` },
      (waiting) => awaitHeartbeat(parts, { hiveId, destination, queenUrl, startedAt }, waiting),
    );
    const { version, build } = capabilities;
    remember(parts, { name, target: destination, port, hiveId });
    narrate({
      action: "adopted",
      message: `${name} is a hive of this household: rbee ${version}.`,
      data: { hive_id: hiveId, version, build },
    });
    return { hive_id: hiveId, name, version, build };
  } catch (error) {
    await cleanUp("take_back", { timeoutMs: 5_000, message: "Not enrolling the hive" }, () => {
      takeBack();
      // It may have reported in the very moment in which the job was stopped.
      if (known === undefined) parts.hives.forget(hiveId);
    });
    throw error;
  }
}

/** The one of the account's hives that answers on the port. */
async function identify(connection: SshConnection, request: Request, signal: AbortSignal): Promise<HiveIdentity> {
  const { target: destination, hive_port: port } = request;
  const { target } = connection;
  const found = await readIdentities(connection, signal);
  if (found.identities.length === 0) throw noIdentity(destination, target.user, found);
  const answer = await probeHive(target.host, port);
  signal.throwIfAborted();
  if (answer.kind !== "hive")
    throw await silent(connection, { destination, port, problem: answer.problem, refused: answer.kind === "no_hive" });
  const identity = found.identities.find(({ hiveId }) => hiveId === answer.hiveId);
  if (identity === undefined)
    throw new RbeeError(
      "hive_invalid_response",
      `Another hive answers on port ${port} of ${destination} than those of ${target.user}.`,
      {
        details: { target: destination, answers: answer.hiveId, found: found.identities.map(({ hiveId }) => hiveId) },
        suggestion: "Name the port of the hive you mean, or sign in as the account that runs it.",
      },
    );
  narrate({
    action: "identified",
    message: `${answer.hiveId} runs there (rbee ${answer.version}); its data is in ${identity.home}.`,
  });
  return identity;
}

/** Whether it does not run, or only cannot be reached from here: only the machine itself can tell. */
async function silent(
  connection: SshConnection,
  seen: { destination: string; port: number; problem: string; refused: boolean },
): Promise<RbeeError> {
  const { destination, port, problem } = seen;
  const details = { target: destination, hive_port: port };
  if (await listensThere(connection, port))
    return new RbeeError(
      "hive_unreachable",
      `Something listens on port ${port} of ${destination}, but this queen cannot use it. ${problem}`,
      { details, suggestion: firewallWords(connection.target) },
    );
  return new RbeeError("hive_unreachable", `A hive is installed on ${destination}, but none runs on port ${port}.`, {
    details,
    suggestion: `Start it with \`rbee hive start\`, install it anew with \`rbee hive install ${destination}\`, or name another port.`,
  });
}

function firewallWords({ jumps }: SshTarget): string {
  return jumps.length > 0
    ? "The machine is reached through another host, but queen and hive must reach each other directly."
    : "Open that port in the machine's firewall, and let the hive listen on the network (RBEE_HIVE_HOST).";
}

async function listensThere(connection: SshConnection, port: number): Promise<boolean> {
  try {
    const channel = await connection.forward("127.0.0.1", port);
    channel.on("error", () => {});
    channel.destroy();
    return true;
  } catch {
    return false;
  }
}

async function introduce(
  { hiveId, token }: HiveIdentity,
  at: { destination: string; host: string; port: number; queenUrl: string; signal: AbortSignal },
): Promise<Capabilities> {
  const client = hiveClient({ baseUrl: `http://${urlHost(at.host)}:${at.port}`, token, name: at.destination });
  const capabilities = await client.capabilities({ query: { queen_url: at.queenUrl }, signal: at.signal });
  if (capabilities.hive_id !== hiveId)
    throw new RbeeError("hive_invalid_response", `Another hive answers now on port ${at.port} of ${at.destination}.`);
  return capabilities;
}

async function awaitHeartbeat(
  parts: Parts,
  awaited: { hiveId: string; destination: string; queenUrl: string; startedAt: number },
  signal: AbortSignal,
): Promise<void> {
  const { hiveId, destination, queenUrl, startedAt } = awaited;
  const deadline = performance.now() + heartbeatLimitMs;
  for (;;) {
    const at = parts.hives.registry.find(hiveId)?.lastHeartbeatAt ?? null;
    if (at !== null && at >= startedAt) break;
    if (performance.now() > deadline)
      throw new RbeeError("hive_down", `The hive on ${destination} answers, but its heartbeats do not arrive.`, {
        details: { queen_url: queenUrl },
        suggestion: `It sends them to ${queenUrl}: check that it can reach that address, or set RBEE_PUBLIC_URL.`,
      });
    await delay(lookEveryMs, undefined, { signal });
  }
  narrate({ action: "heartbeat", message: `The first heartbeat arrived after ${parts.now() - startedAt} ms.` });
}

/** @throws {RbeeError} `already_exists` when the name asked for belongs to another machine. */
function nameFor({ beehives }: Parts, { name, target: destination }: Request, hiveId: string): string {
  const known = beehives.findByHive(hiveId) ?? beehives.findByTarget(destination);
  const asked = (name ?? known?.name ?? destination).slice(0, nameLimit);
  const holder = beehives.find(asked);
  if (holder === undefined || holder.name === known?.name || holder.target === destination) return asked;
  throw new RbeeError("already_exists", `Another machine is registered as ${asked}, at ${holder.target}.`, {
    param: "name",
    details: { name: asked, target: holder.target },
    suggestion: `Choose another name, or forget that machine with \`rbee hive remove ${asked}\`.`,
  });
}

function remember({ beehives }: Parts, hive: { name: string; target: string; port: number; hiveId: string }): void {
  const known = beehives.findByHive(hive.hiveId) ?? beehives.findByTarget(hive.target);
  const record = {
    name: hive.name,
    target: hive.target,
    hivePort: hive.port,
    autoStart: known?.auto_start ?? true,
    installMethod: known?.install_method ?? { bundle: {} },
    hiveId: hive.hiveId,
  };
  if (known === undefined || !beehives.replace(known.name, record)) beehives.save(record);
}
