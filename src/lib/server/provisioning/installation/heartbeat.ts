import { setTimeout as delay } from "node:timers/promises";
import { RbeeError } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { Parts } from "../parts.ts";
import { quote } from "../ssh/index.ts";
import { type Remote, run } from "./remote.ts";

const limitMs = 60_000;
const lookEveryMs = 150;
const askEveryMs = 1_000;
/** So often in a row must it look as if the hive had ended: one look may come between a process and its traces. */
const looksToBelieve = 2;

/** The hive that is waited for. */
export interface Awaited {
  readonly hiveId: string;
  readonly port: number;
  readonly queenUrl: string;
  /** Build of the tree that was started; null when it is not known. */
  readonly build: string | null;
  /** When the process that shall report was started, by the queen's clock, its predecessor being gone. */
  readonly startedAt: number;
}

/**
 * The step `wait_heartbeat`: waits for the first heartbeat of the process that was just started, then asks the hive what
 * it is. A process that ends is noticed within seconds.
 * @throws {RbeeError} `hive_down` with the hive's own last words and what else was found out; `hive_version_mismatch`
 *   when what reports is another build.
 */
export function awaitHeartbeat(parts: Parts, remote: Remote, awaited: Awaited): Promise<void> {
  return step(
    "wait_heartbeat",
    { timeoutMs: limitMs + 30_000, message: `Waiting for the first heartbeat of ${remote.name}` },
    async (signal) => {
      await firstHeartbeat(parts, remote, awaited, signal);
      const tookMs = parts.now() - awaited.startedAt;
      narrate({ action: "heartbeat", message: `The first heartbeat arrived after ${(tookMs / 1000).toFixed(1)} s.` });
      await askBuild(parts, remote, awaited);
    },
  );
}

async function firstHeartbeat(parts: Parts, remote: Remote, awaited: Awaited, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + limitMs;
  const arrived = () => {
    const at = parts.hives.registry.find(awaited.hiveId)?.lastHeartbeatAt ?? null;
    return at !== null && at >= awaited.startedAt;
  };
  let lookedAt = performance.now();
  let foundEnded = 0;
  while (!arrived()) {
    if (performance.now() - lookedAt > askEveryMs) {
      const alive = await isAlive(remote, signal);
      lookedAt = performance.now();
      foundEnded = alive ? 0 : foundEnded + 1;
      if (foundEnded >= looksToBelieve && !arrived()) throw await noHeartbeat(remote, awaited, "ended", signal);
    }
    if (performance.now() > deadline) throw await noHeartbeat(remote, awaited, "silent", signal);
    await delay(lookEveryMs, undefined, { signal });
  }
}

async function isAlive(remote: Remote, signal: AbortSignal): Promise<boolean> {
  try {
    const options = { allowFailure: true, timeoutMs: 10_000 };
    const { exitCode } = await run(remote, "status", remote.service.status(remote.layout), signal, options);
    return exitCode !== 3;
  } catch {
    signal.throwIfAborted();
    // What counts is the heartbeat; whether it can be looked at is another matter.
    return true;
  }
}

async function askBuild(parts: Parts, remote: Remote, { hiveId, build }: Awaited): Promise<void> {
  const hive = parts.hives.registry.find(hiveId);
  if (hive === undefined) return;
  let actual: string | null;
  try {
    actual = (await parts.hives.contact.ask(hive)).build ?? null;
  } catch (error) {
    const why = error instanceof Error ? error.message : "no answer";
    narrate({
      action: "not_reachable",
      level: "warn",
      message: `${remote.name} reports, but the queen cannot reach it at port ${hive.port ?? "?"}: ${why}`,
      data: { suggestion: "Open that port in the machine's firewall; until then it cannot be used." },
    });
    return;
  }
  if (build === null || actual === build) return;
  throw new RbeeError(
    "hive_version_mismatch",
    `${remote.name} reports as build ${actual ?? "unknown"}, not ${build}.`,
    {
      details: { expected: build, actual },
      suggestion: "Another rbee-hive may run on that machine; stop it, then try again.",
    },
  );
}

async function noHeartbeat(
  remote: Remote,
  awaited: Awaited,
  how: "ended" | "silent",
  signal: AbortSignal,
): Promise<RbeeError> {
  const [said, answers, reaches] = await Promise.all([
    lastWords(remote, signal),
    how === "ended" ? null : answersOn(remote, awaited.port),
    how === "ended" ? null : reachesQueen(remote, awaited.queenUrl, signal),
  ]);
  const last = said.at(-1);
  const facts = [
    how === "ended"
      ? `The hive ended right after its start on ${remote.name}.`
      : `No heartbeat of ${remote.name} arrived within ${limitMs / 1000} s.`,
    ...(last === undefined ? [] : [`It said last: ${last}`]),
    ...(reaches === null ? [] : [`From that machine the queen at ${awaited.queenUrl} cannot be reached: ${reaches}.`]),
    ...(answers === null ? [] : [`Its port ${awaited.port} ${answers ? "answers" : "does not answer"}.`]),
  ];
  return new RbeeError("hive_down", facts.join(" "), {
    details: { host: remote.name, last_lines: said, port_answers: answers, queen_url: awaited.queenUrl },
    suggestion:
      how === "ended"
        ? "Mend what its last words name, then try again."
        : "Check the firewalls of both machines; if the queen has another address for that machine, set RBEE_PUBLIC_URL.",
  });
}

/** The last lines of the hive's own log, and of what its service manager kept, as plain text. */
export async function lastWords(remote: Remote, signal: AbortSignal): Promise<string[]> {
  const script = `tail -n 15 ${quote(`${remote.layout.logs}/hive.log`)} 2>/dev/null
(
${remote.service.lastWords(remote.layout)}
)
:`;
  try {
    const { stdout } = await run(remote, "read its log", script, signal, { allowFailure: true, timeoutMs: 10_000 });
    return stdout.split("\n").flatMap(plainLine).slice(-12);
  } catch {
    return [];
  }
}

/** A line of the hive's log (JSON) as its message; other lines as they are. */
function plainLine(line: string): string[] {
  const text = line.trim();
  if (text === "") return [];
  try {
    const { msg }: { msg?: unknown } = JSON.parse(text);
    return typeof msg === "string" ? [msg] : [text];
  } catch {
    return [text];
  }
}

async function answersOn({ machine }: Remote, port: number): Promise<boolean> {
  const { host } = machine.target;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/health`;
  return fetch(url, { signal: AbortSignal.timeout(3_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

/** Why the machine cannot reach the queen, in the words of the Node that was sent there; null when it can. */
async function reachesQueen(remote: Remote, queenUrl: string, signal: AbortSignal): Promise<string | null> {
  const program = `fetch(process.argv[1] + "/health", { signal: AbortSignal.timeout(4000) }).then(
  () => process.exit(0), (error) => { console.log(error.cause?.message || error.message); process.exit(3); })`;
  const node = quote(`${remote.layout.current}/node/bin/node`);
  try {
    const script = `exec ${node} -e ${quote(program)} ${quote(queenUrl)}`;
    const end = await run(remote, "reach the queen", script, signal, { allowFailure: true, timeoutMs: 8_000 });
    return end.exitCode === 3 ? end.stdout.trim() || "no answer" : null;
  } catch {
    return null;
  }
}
