import type { InstallMethod, PreflightReport } from "@rbee/contract";
import { type BundlePlatform, bundlePlatformSchema } from "@rbee/bundle";
import type { Facts } from "./facts.ts";

type Finding = PreflightReport["problems"][number];

/** What is to be installed. */
export interface Wanted {
  readonly method: InstallMethod;
  readonly port: number;
  /** Id of the hive on the queen's own machine, which she runs herself. */
  readonly localHiveId: string | null;
  /** How that machine reaches the queen; null when it cannot. */
  readonly queenUrl: string | null;
}

/** The oldest C library that the Node in the bundle runs on. */
const oldestGlibc = [2, 28] as const;
const oldestNode = 20;
/** The tree takes 200 MB and its archive 70; the old tree stays beside it. */
const diskNeedMb = { bundle: 600, cuda: 2_500, git: 2_500 };
const ramMb = { least: 400, comfortable: 2_000 };

/** Everything that stands in the way of an installation, and what a person should know before it. */
export function evaluate(facts: Facts, wanted: Wanted): { problems: Finding[]; warnings: Finding[] } {
  const byGit = "git" in wanted.method;
  const problems = [
    ...system(facts),
    ...room(facts, byGit),
    ...folders(facts),
    ...port(facts, wanted),
    ...tools(facts, byGit),
    ...queen(wanted),
    ...ownMachine(facts, wanted),
  ];
  return { problems, warnings: warningsOf(facts) };
}

/** The platform that a bundle for this machine is made for, without its GPU; null when there is none. */
export function platformOf({ machine }: Facts): Pick<BundlePlatform, "os" | "arch"> | null {
  const parsed = bundlePlatformSchema.safeParse({ os: machine.os, arch: machine.arch, gpu: "none" });
  return parsed.success ? parsed.data : null;
}

/** Whether an NVIDIA card works there. */
export function hasCuda({ machine }: Facts): boolean {
  return machine.gpus.some(({ vendor, driver }) => vendor === "nvidia" && driver !== null);
}

const finding = (code: string, message: string, suggestion: string | null): Finding => ({ code, message, suggestion });

function system(facts: Facts): Finding[] {
  const { os, arch, os_name, libc } = facts.machine;
  if (platformOf(facts) === null)
    return [
      finding(
        "backend_unavailable",
        `rbee does not run on ${os_name ?? os} with ${arch}.`,
        "Hives run on Linux and macOS, on 64-bit Intel, AMD or ARM processors.",
      ),
    ];
  if (os !== "linux") return [];
  if (libc === "musl")
    return [
      finding(
        "backend_unavailable",
        `${os_name ?? "This system"} uses musl as its C library, and the Node that rbee brings needs glibc.`,
        "Use a system with glibc: Debian, Ubuntu, Fedora, Arch and most others.",
      ),
    ];
  if (facts.glibc !== null && isOlder(facts.glibc, oldestGlibc))
    return [
      finding(
        "backend_unavailable",
        `${os_name ?? "This system"} has glibc ${facts.glibc}; rbee needs ${oldestGlibc.join(".")} or newer.`,
        "Upgrade the operating system.",
      ),
    ];
  return [];
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, ourMinor = 0] = version.split(".").map(Number);
  return ours < major || (ours === major && ourMinor < minor);
}

function room(facts: Facts, byGit: boolean): Finding[] {
  const { disk_free_mb, ram_total_mb } = facts.machine;
  const need = byGit ? diskNeedMb.git : hasCuda(facts) ? diskNeedMb.cuda : diskNeedMb.bundle;
  return [
    ...(disk_free_mb !== null && disk_free_mb < need
      ? [
          finding(
            "insufficient_disk",
            `${disk_free_mb} MB of disk are free where rbee would be put, and ${need} MB are needed.`,
            "Make room on that disk.",
          ),
        ]
      : []),
    ...(ram_total_mb !== null && ram_total_mb < ramMb.least
      ? [
          finding(
            "insufficient_ram",
            `The machine has ${ram_total_mb} MB of memory; a hive needs ${ramMb.least} MB.`,
            "Choose a machine with more memory.",
          ),
        ]
      : []),
  ];
}

function folders(facts: Facts): Finding[] {
  const { user } = facts.machine;
  return [
    ...facts.notWritable.map((folder) =>
      finding("forbidden", `${user} may not write in ${folder}.`, `Check who owns ${folder} on that machine.`),
    ),
    ...facts.notFolders.map((path) =>
      finding("already_exists", `${path} is in the way: it is no folder.`, "Move it elsewhere."),
    ),
    ...(facts.foreignProgram === null
      ? []
      : [
          finding(
            "already_exists",
            `${facts.foreignProgram} is there already, and rbee did not put it there.`,
            "Move it elsewhere, or set RBEE_REMOTE_BINARY_PATH to another place.",
          ),
        ]),
  ];
}

function port({ portHolder, pid }: Facts, wanted: Wanted): Finding[] {
  // The hive that runs there gives its port to the one that takes its place.
  if (portHolder === null) return [];
  const holder = /\(process (\d+)\)$/u.exec(portHolder)?.[1];
  if (pid !== null && (holder === undefined || Number(holder) === pid)) return [];
  const who = portHolder === "" ? "another program" : portHolder;
  return [
    finding(
      "already_exists",
      `Port ${wanted.port} is taken by ${who}.`,
      "Stop that program, or choose another port for the hive.",
    ),
  ];
}

function tools({ tools: there, node }: Facts, byGit: boolean): Finding[] {
  const missing = (tool: string) =>
    finding("ssh_command_failed", `${tool} is missing on that machine.`, `Install ${tool} there.`);
  const nodeMajor = Number(node?.split(".")[0] ?? Number.NaN);
  if (byGit)
    return [
      ...["git", "npm"].filter((tool) => !there.has(tool)).map(missing),
      ...(node === null
        ? [missing("node")]
        : nodeMajor >= oldestNode
          ? []
          : [
              finding(
                "ssh_command_failed",
                `Node ${node} is too old to build rbee there; it needs ${oldestNode} or newer.`,
                "Install a newer Node there, or let the queen send a bundle.",
              ),
            ]),
    ];
  const checksums = ["sha256sum", "shasum", "openssl"];
  return [
    ...["tar", "gzip"].filter((tool) => !there.has(tool)).map(missing),
    ...(checksums.some((tool) => there.has(tool)) ? [] : [missing("sha256sum")]),
  ];
}

function queen({ queenUrl }: Wanted): Finding[] {
  if (queenUrl !== null) return [];
  return [
    finding(
      "queen_unreachable",
      "That machine could not reach the queen, who listens on her own machine only or has no address towards it.",
      "Start the queen with RBEE_HOST=0.0.0.0, or set RBEE_PUBLIC_URL.",
    ),
  ];
}

function ownMachine({ machine }: Facts, { localHiveId }: Wanted): Finding[] {
  if (localHiveId === null || machine.existing?.hive_id !== localHiveId) return [];
  return [
    finding(
      "already_exists",
      "This is the queen's own machine, and she runs a hive there herself.",
      "Set RBEE_LOCAL_HIVE=false first if it shall be installed as a service.",
    ),
  ];
}

function warningsOf(facts: Facts): Finding[] {
  const { machine, nvidiaBroken } = facts;
  const littleRam = machine.ram_total_mb !== null && machine.ram_total_mb < ramMb.comfortable;
  return [
    ...(machine.service_manager === "none"
      ? [
          finding(
            "no_service_manager",
            "There is no service manager that this account may use: the hive will not start with the machine.",
            "Start it from the dashboard or with `rbee hive start` after that machine has restarted.",
          ),
        ]
      : []),
    ...(nvidiaBroken === null
      ? []
      : [
          finding(
            "nvidia_driver",
            `There is an NVIDIA card, but its driver does not work (${nvidiaBroken}): the CPU will be used.`,
            "Install NVIDIA's driver there and upgrade the hive.",
          ),
        ]),
    ...(machine.gpus.some(({ vendor }) => vendor === "amd")
      ? [finding("gpu_unused", "There is an AMD card; rbee has no engine for it yet and will use the CPU.", null)]
      : []),
    ...(littleRam
      ? [finding("little_ram", `The machine has only ${machine.ram_total_mb} MB of memory: small models only.`, null)]
      : []),
  ];
}
