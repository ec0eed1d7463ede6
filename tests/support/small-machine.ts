import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./folder.ts";
import { projectRoot } from "./process.ts";

/** Why machines with disks and memory of their own cannot be had here; null when they can. With `CI` this is an error. */
export const whyNoOwnMounts = ownMountsProblem();
if (whyNoOwnMounts !== null && process.env["CI"]) throw new Error(`the faults of machines: ${whyNoOwnMounts}`);

function ownMountsProblem(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux (small disks and memory are made with mounts)";
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return null;
  } catch {
    return "this system does not allow mounts";
  }
}

/**
 * A command that runs a shell script in mounts of its own and then becomes the program that follows it. The mounts end
 * with the process, whatever becomes of the test.
 */
const inOwnMounts = (script: string): string[] => [
  ...["unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", `${script}\nexec "$@"`, "sh"],
];

/** A hive with a disk of its own for its models. It is seen from outside at `/proc/PID/root`. */
export function withModelsDisk(megabytes: number): string[] {
  return inOwnMounts(`mkdir -p "$RBEE_HIVE_HOME/models"
mount -t tmpfs -o size=${megabytes}m tmpfs "$RBEE_HIVE_HOME/models"`);
}

/** What a fake machine is made of; `remove` when its hive has ended. */
export interface FakeMachine {
  readonly through: readonly string[];
  readonly env: Record<string, string>;
  remove(): void;
}

/** A machine whose system says that it has this much memory. */
export function withMemory({ totalMb, freeMb }: { totalMb: number; freeMb: number }): FakeMachine {
  const folder = temporaryFolder("memory");
  const meminfo = join(folder.path, "meminfo");
  writeFileSync(
    meminfo,
    [`MemTotal: ${totalMb * 1024} kB`, `MemFree: ${freeMb * 1024} kB`, `MemAvailable: ${freeMb * 1024} kB`, ""].join(
      "\n",
    ),
  );
  return {
    through: inOwnMounts(`mount --bind '${meminfo}' /proc/meminfo`),
    env: {},
    remove: () => {
      folder.remove();
    },
  };
}

/**
 * A machine with an NVIDIA card, as far as `nvidia-smi` says.
 * @param engine whether the engine's build for it is installed: an empty one that cannot compute
 */
export function withCard(card: { name: string; totalMb: number; usedMb: number; engine: boolean }): FakeMachine {
  const folder = temporaryFolder("card");
  const uuid = "GPU-11111111-2222-3333-4444-555555555555";
  const line = `0, ${uuid}, ${card.name}, 3, ${card.usedMb}, ${card.totalMb}, 44, 21.50, 8.6`;
  mkdirSync(join(folder.path, "bin"));
  const tool = join(folder.path, "bin", "nvidia-smi");
  writeFileSync(
    tool,
    `#!/bin/sh
if [ "$1" = -L ]; then echo 'GPU 0: ${card.name} (UUID: ${uuid})'; exit; fi
while echo '${line}'; do sleep 1; done
`,
  );
  chmodSync(tool, 0o755);
  const engine = join(folder.path, "engine");
  mkdirSync(engine);
  writeFileSync(join(engine, "package.json"), JSON.stringify({ name: "engine", version: "0.0.0", main: "index.js" }));
  writeFileSync(join(engine, "index.js"), "throw new Error('there is no card');\n");
  const absent = join(projectRoot, "packages", "absent-engine-variant");
  return {
    through: card.engine ? inOwnMounts(`mount --bind '${engine}' '${absent}'`) : [],
    env: { PATH: `${join(folder.path, "bin")}:${process.env["PATH"] ?? ""}` },
    remove: () => {
      folder.remove();
    },
  };
}
