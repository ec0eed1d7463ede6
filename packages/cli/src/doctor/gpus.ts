import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { programRoot } from "../program-root.ts";
import { ok, warn, type Check, type Finding } from "./finding.ts";

const run = promisify(execFile);
const nvidiaVendor = "0x10de";
const amdVendor = "0x1002";

/** PCI vendors of the display adapters that Linux lists; none elsewhere. */
function vendors(): ReadonlySet<string> {
  const cards = "/sys/class/drm";
  if (!existsSync(cards)) return new Set();
  return new Set(
    readdirSync(cards).flatMap((card) => {
      try {
        return [readFileSync(join(cards, card, "device/vendor"), "utf8").trim()];
      } catch {
        return [];
      }
    }),
  );
}

function engineHas(backend: "cuda" | "vulkan"): boolean {
  const system = process.platform === "win32" ? "win" : process.platform;
  try {
    createRequire(join(programRoot, "package.json")).resolve(`@node-llama-cpp/${system}-${process.arch}-${backend}`);
    return true;
  } catch {
    return false;
  }
}

const withoutEngine =
  "Its workers run on the CPU: this machine's own hive has no engine for GPUs. A hive that the queen installs over SSH gets one: RBEE_LOCAL_HIVE=false, then `rbee hive install` with this machine.";

async function nvidia(command: string): Promise<Finding | undefined> {
  const name = "NVIDIA GPU";
  try {
    const query = ["--query-gpu=name,driver_version", "--format=csv,noheader"];
    const { stdout } = await run(command, query, { timeout: 8_000 });
    const cards = stdout
      .trim()
      .split("\n")
      .filter((line) => line.includes(","));
    if (cards.length === 0) return undefined;
    const shown = cards.map((line) => line.replace(/,\s*/u, ", driver ")).join("; ");
    return engineHas("cuda") || engineHas("vulkan")
      ? ok(name, shown)
      : warn(name, `${shown}, which the engine here cannot use`, withoutEngine);
  } catch (error) {
    const { code, stderr, stdout } = error as { code?: number | string; stderr?: string; stdout?: string };
    const said = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n")[0] ?? "";
    if (code === "ENOENT")
      return vendors().has(nvidiaVendor)
        ? warn(name, "a card is built in, but its driver is not installed", "Install NVIDIA's driver, then restart.")
        : undefined;
    if (!vendors().has(nvidiaVendor) && /no devices/iu.test(said)) return undefined;
    return warn(
      name,
      `nvidia-smi fails: ${said === "" ? `exit code ${code ?? "unknown"}` : said}`,
      "The driver and the running kernel may not match: restart the machine, or install the driver again.",
    );
  }
}

function amd(): Finding | undefined {
  if (!vendors().has(amdVendor)) return undefined;
  const name = "AMD GPU";
  if (!existsSync("/dev/dri"))
    return warn(name, "a card is built in, but /dev/dri is not there", "Load the amdgpu driver.");
  return engineHas("vulkan")
    ? ok(name, "found; used by Vulkan")
    : warn(name, "found, but the engine here cannot use it", withoutEngine);
}

/** The GPUs of this machine, and whether driver and engine can use them. @param command NVIDIA's tool. */
export function gpuChecks(command = "nvidia-smi"): readonly Check[] {
  return [
    {
      name: "GPU",
      look: async () => {
        if (process.platform === "darwin" && process.arch === "arm64") return ok("GPU", "Apple's; used by Metal");
        const found = [await nvidia(command), amd()].filter((one) => one !== undefined);
        return found.length > 0 ? found : ok("GPU", "none; models run on the CPU");
      },
    },
  ];
}
