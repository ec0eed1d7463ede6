import { type InstallMethod, type PreflightReport, RbeeError } from "@rbee/contract";
import { narrate, step } from "@rbee/jobs";
import type { Machine } from "../access.ts";
import { type Layout, layoutOf } from "../layout.ts";
import type { Parts } from "../parts.ts";
import { remoteHome } from "../ssh/index.ts";
import { evaluate } from "./evaluate.ts";
import { type Facts, readFacts } from "./facts.ts";
import { look } from "./look.ts";

/** What a look at a machine gave: where things are there, what it is, and what stands in the way. */
export interface Checked {
  readonly layout: Layout;
  readonly facts: Facts;
  readonly report: PreflightReport;
  /** How that machine reaches the queen; null when it cannot. */
  readonly queenUrl: string | null;
}

/**
 * Looks at a machine without judging it.
 * @throws {RbeeError} as running a command there does
 */
export function lookAt(
  parts: Pick<Parts, "settings">,
  machine: Machine,
  { target, port }: { target: string; port: number },
  signal: AbortSignal,
): Promise<{ layout: Layout; facts: Facts }> {
  const { host, port: sshPort } = machine.target;
  return machine.use(signal, async (connection) => {
    const layout = layoutOf(await remoteHome(connection), parts.settings);
    const output = await look(connection, layout, port, signal);
    return { layout, facts: readFacts(output, { name: target, address: `${host}:${sshPort}` }) };
  });
}

/**
 * The step `preflight`: looks at the machine and narrates every problem and warning there is.
 * @param wanted `refuse`: whether problems fail the step
 * @throws {RbeeError} as running a command there does; with `refuse` as `refuseProblems` does
 */
export function checkMachine(
  parts: Parts,
  machine: Machine,
  wanted: { target: string; method: InstallMethod; port: number; refuse: boolean },
): Promise<Checked> {
  return step("preflight", { timeoutMs: 60_000, message: `Looking at ${wanted.target}` }, async (signal) => {
    const [queenUrl, { layout, facts }] = await Promise.all([
      parts.urlTowards(machine.target.host),
      lookAt(parts, machine, wanted, signal),
    ]);
    const local = parts.hives.registry.all().find(({ enrolment }) => enrolment === "local");
    const found = evaluate(facts, {
      method: wanted.method,
      port: wanted.port,
      localHiveId: local?.hiveId ?? null,
      queenUrl,
    });
    narrate({ action: "machine", message: describe(facts), data: { machine: facts.machine } });
    for (const { code, message, suggestion } of found.warnings)
      narrate({ action: "warning", level: "warn", message, data: { code, suggestion } });
    for (const { code, message, suggestion } of found.problems)
      narrate({ action: "problem", level: "error", message, data: { code, suggestion } });
    const report = { machine: facts.machine, ...found };
    if (wanted.refuse) refuseProblems(report);
    return { layout, facts, report, queenUrl };
  });
}

/**
 * Refuses to go on when anything stands in the way.
 * @throws {RbeeError} with the code of the first problem, naming all; `details.problems` lists them.
 */
function refuseProblems({ machine, problems }: PreflightReport): void {
  const [first] = problems;
  if (first === undefined) return;
  const code = (codes as readonly string[]).includes(first.code) ? (first.code as (typeof codes)[number]) : "forbidden";
  const words = problems.map(({ message }) => message).join(" ");
  const rest = problems.length === 1 ? "" : ` (${problems.length} problems)`;
  throw new RbeeError(code, `rbee cannot be installed on ${machine.name}${rest}: ${words}`, {
    details: { problems },
    suggestion: [...new Set(problems.flatMap(({ suggestion }) => suggestion ?? []))].join(" ") || undefined,
  });
}

const codes = [
  "already_exists",
  "backend_unavailable",
  "forbidden",
  "insufficient_disk",
  "insufficient_ram",
  "queen_unreachable",
  "ssh_command_failed",
] as const;

function describe({ machine }: Facts): string {
  const { os, os_name, arch, cpu_threads, ram_total_mb, disk_free_mb, gpus, existing } = machine;
  const gb = (mb: number) => `${(mb / 1024).toFixed(mb < 10_240 ? 1 : 0)} GB`;
  return [
    `${os_name ?? os} on ${arch}`,
    ...(cpu_threads === null ? [] : [`${cpu_threads} threads`]),
    ...(ram_total_mb === null ? [] : [`${gb(ram_total_mb)} memory`]),
    ...(disk_free_mb === null ? [] : [`${gb(disk_free_mb)} disk free`]),
    ...gpus.map(({ name }) => name),
    existing === null
      ? "no hive yet"
      : `has ${existing.version === null ? "a hive" : `rbee ${existing.version}`}, ${existing.running ? "running" : "not running"}`,
  ].join(", ");
}
