import { preflightReportSchema, type MachineFacts, type PreflightReport } from "@rbee/contract";
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { perform } from "../command.ts";
import { Failed } from "../failure.ts";
import { jobVerb, runSshJob } from "../job/run.ts";
import { sshOptions } from "../ssh/access.ts";
import { formatBytes, orDash } from "../terminal/format.ts";
import type { InstallationOptions } from "./install.ts";
import { methodFrom, methodOptions } from "./method.ts";
import { machineNamed, registeredMachines } from "./registered.ts";

const megabytes = (value: number | null) => (value === null ? "–" : formatBytes(value * 1e6));

function existingText({ existing }: MachineFacts): string {
  if (existing === null) return "none";
  return `rbee ${existing.version ?? "of unknown version"}, ${existing.running ? "running" : "stopped"}`;
}

/** A report for people: what the machine is, then what stands in the way and what to know, each with what to do. */
export function reportText({ machine, problems, warnings }: PreflightReport): string {
  const facts: [string, string][] = [
    ["machine", `${machine.name} (${machine.user} at ${machine.address})`],
    ["system", [machine.os_name ?? machine.os, machine.arch, machine.libc].filter((part) => part !== null).join(", ")],
    ["threads", orDash(machine.cpu_threads)],
    ["RAM", megabytes(machine.ram_total_mb)],
    ["disk", `${megabytes(machine.disk_free_mb)} free`],
    [
      "GPU",
      machine.gpus.map(({ name, driver }) => `${name}${driver === null ? "" : ` (${driver})`}`).join(", ") || "none",
    ],
    ["services", machine.service_manager],
    ["agent", existingText(machine)],
  ];
  const findings = [
    ...problems.map((finding) => ({ mark: "✗ problem", ...finding })),
    ...warnings.map((finding) => ({ mark: "◐ warning", ...finding })),
  ];
  return [
    ...facts.map(([name, value]) => `${name.padEnd(9)} ${value}`),
    ...(findings.length === 0 ? ["✓ nothing stands in the way"] : []),
    ...findings.flatMap(({ mark, message, suggestion }) => [
      `${mark} ${message}`,
      ...(suggestion === null ? [] : [`          ${suggestion}`]),
    ]),
  ].join("\n");
}

/** `rbee hive check`: exit code 1 when something stands in the way of an installation. */
export function hiveCheck(parent: Command): void {
  const command = jobVerb(parent, "check <target>", {
    summary: "look at a machine over SSH and say what stands in the way of an installation; changes nothing there",
    examples: ["rbee hive check vince@192.168.1.20"],
  }).option("--port <number>", "the hive's port; 7835 when left out", wholeNumber(1, 65_535));
  sshOptions(methodOptions(command)).action((target: string, options: InstallationOptions) =>
    perform(options, async (context) => {
      const connection = context.connect();
      const method = methodFrom(options, connection.local);
      const known = machineNamed(await registeredMachines(connection, context), target);
      const result = await runSshJob(context, connection, options, (access) => ({
        operation: "hive_check",
        target: known?.target ?? target,
        method: method ?? known?.install_method ?? { bundle: {} },
        hive_port: options.port ?? known?.hive_port ?? 7835,
        ...access,
      }));
      const { data: report } = preflightReportSchema.safeParse(result?.data);
      if (report === undefined) return;
      if (!context.json) context.terminal.out(reportText(report));
      if (report.problems.length > 0) throw new Failed();
    }),
  );
}
