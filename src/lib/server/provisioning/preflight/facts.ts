import { hiveIdSchema, type MachineFacts } from "@rbee/contract";
import { type BundleManifest, bundleManifestSchema } from "@rbee/bundle";

/** What a look at a machine found, with what only installing needs to know. */
export interface Facts {
  readonly machine: MachineFacts;
  readonly hostname: string | null;
  /** Version of the C library, for example `2.36`; null where it is not glibc. */
  readonly glibc: string | null;
  readonly notWritable: readonly string[];
  readonly notFolders: readonly string[];
  /** Something that rbee did not make lies where the program's link goes. */
  readonly foreignProgram: string | null;
  readonly tools: ReadonlySet<string>;
  /** Version of the machine's own Node, for example `20.11.0`. */
  readonly node: string | null;
  /** Who listens on the hive's port, empty when that is not shown; null when the port is free. */
  readonly portHolder: string | null;
  /** What nvidia-smi said when it failed. */
  readonly nvidiaBroken: string | null;
  readonly current: BundleManifest | null;
  /** The folder's name that `current` points to. */
  readonly currentTree: string | null;
  /** Process id of the hive that runs there. */
  readonly pid: number | null;
}

const systems: Readonly<Record<string, string>> = { Linux: "linux", Darwin: "darwin" };
const architectures: Readonly<Record<string, string>> = {
  x86_64: "x64",
  amd64: "x64",
  aarch64: "arm64",
  arm64: "arm64",
};
const serviceManagers: Readonly<Record<string, MachineFacts["service_manager"]>> = {
  systemd: "systemd",
  launchd: "launchd",
};

/**
 * Reads what `look` printed. What a machine does not say is null.
 * @param where how the machine is called, and `host:port` of its SSH server
 */
export function readFacts(output: string, where: { name: string; address: string }): Facts {
  const lines = output.split("\n").flatMap((line): [string, string][] => {
    const tab = line.indexOf("\t");
    return tab === -1 ? [] : [[line.slice(0, tab), line.slice(tab + 1).trim()]];
  });
  const all = (fact: string) => lines.flatMap(([name, value]) => (name === fact ? [value] : []));
  const one = (fact: string) => all(fact).find((value) => value !== "") ?? null;
  const has = (fact: string) => lines.some(([name]) => name === fact);
  const number = (fact: string) => {
    const value = one(fact);
    return value === null || !/^\d+$/u.test(value) ? null : Number(value);
  };

  const os = one("os") ?? "unknown";
  const arch = one("arch") ?? "unknown";
  const glibc = one("glibc");
  const ramKb = number("ram_kb");
  const ramBytes = number("ram_bytes");
  const pid = number("running");
  const manifest = bundleManifestSchema.safeParse(parseJson(one("current")));
  const current = manifest.success ? manifest.data : null;
  const hiveId = hiveIdSchema.safeParse(one("hive_id"));
  const exists = current !== null || hiveId.success || pid !== null;
  const ramMb = ramKb === null ? (ramBytes === null ? null : ramBytes / 1_048_576) : ramKb / 1024;

  return {
    machine: {
      ...where,
      user: one("user") ?? "unknown",
      os: systems[os] ?? os.toLowerCase(),
      os_name: one("os_name"),
      arch: architectures[arch] ?? arch,
      libc: glibc === null ? (has("musl") ? "musl" : null) : "glibc",
      cpu_threads: number("threads"),
      ram_total_mb: ramMb === null ? null : Math.round(ramMb),
      disk_free_mb: freeMb(one("disk")),
      gpus: [...all("nvidia").map(nvidiaCard), ...all("display").flatMap(otherCard)],
      service_manager: serviceManagers[one("service") ?? ""] ?? "none",
      existing: exists
        ? {
            version: current?.version ?? null,
            build: current?.build ?? null,
            running: pid !== null,
            hive_id: hiveId.success ? hiveId.data : null,
            queen_url: one("queen_url"),
          }
        : null,
    },
    hostname: one("hostname"),
    glibc,
    notWritable: [...new Set(all("not_writable"))],
    notFolders: [...new Set(all("not_a_folder"))],
    foreignProgram: one("program_is_foreign"),
    tools: new Set(all("tool")),
    node: one("node")?.replace(/^v/u, "") ?? null,
    portHolder: has("port_taken") ? (one("port_taken") ?? "") : null,
    nvidiaBroken: one("nvidia_broken") ?? (nvidiaWithoutDriver(all("display"), has("nvidia")) ? "no driver" : null),
    current,
    currentTree: one("current_tree"),
    pid,
  };
}

function parseJson(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** The last line of `df -Pk`: device, size, used, free, share, mount point. */
function freeMb(line: string | null): number | null {
  const free = /^.*?\s(\d+)\s+(\d+)\s+(-?\d+)\s+\d+%/u.exec(line ?? "")?.[3];
  return free === undefined ? null : Math.max(0, Math.floor(Number(free) / 1024));
}

function nvidiaCard(line: string): MachineFacts["gpus"][number] {
  const comma = line.lastIndexOf(",");
  const name = (comma === -1 ? line : line.slice(0, comma)).trim();
  const driver = comma === -1 ? "" : line.slice(comma + 1).trim();
  return { vendor: "nvidia", name, driver: /^\d/u.test(driver) ? driver : null };
}

const amd = "0x1002";
const nvidia = "0x10de";

function otherCard(line: string): MachineFacts["gpus"] {
  const [vendor, driver = ""] = line.split(" ");
  return vendor === amd ? [{ vendor: "amd", name: "AMD graphics", driver: driver === "" ? null : driver }] : [];
}

function nvidiaWithoutDriver(displays: readonly string[], works: boolean): boolean {
  return !works && displays.some((line) => line.startsWith(nvidia));
}
