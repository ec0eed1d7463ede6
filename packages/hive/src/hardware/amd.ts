import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Gpu, GpuSource } from "./gpu.ts";

const amdVendor = "0x1002";

export interface AmdOptions {
  sysRoot?: string;
  command?: string;
}

async function text(path: string): Promise<string | null> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return null;
  }
}

async function number(path: string): Promise<number | null> {
  const content = await text(path);
  if (content === null || content === "") return null;
  const value = Number(content);
  return Number.isFinite(value) ? value : null;
}

const scaled = (value: number | null, divisor: number): number | null => (value === null ? null : value / divisor);

/** Product names by card, from `rocm-smi --showproductname --json`; empty when the output is something else. */
export function parseProductNames(output: string): Map<string, string> {
  const names = new Map<string, string>();
  // Older versions print warnings before the JSON.
  const start = output.indexOf("{");
  let cards: unknown;
  try {
    cards = start === -1 ? null : JSON.parse(output.slice(start));
  } catch {
    return names;
  }
  if (typeof cards !== "object" || cards === null) return names;
  for (const [card, facts] of Object.entries(cards)) {
    if (!/^card\d+$/u.test(card) || typeof facts !== "object" || facts === null) continue;
    const lowered = new Map(Object.entries(facts).map(([key, value]) => [key.toLowerCase(), value as unknown]));
    const name = ["card series", "card model"]
      .map((key) => lowered.get(key))
      .find((value): value is string => typeof value === "string" && value !== "" && !/^(0x|N\/A)/iu.test(value));
    if (name !== undefined) names.set(card, name);
  }
  return names;
}

/** The folder with a card's sensors; a card has at most one. */
async function sensorsOf(device: string): Promise<string | null> {
  try {
    const [first] = await readdir(join(device, "hwmon"));
    return first === undefined ? null : join(device, "hwmon", first);
  } catch {
    return null;
  }
}

/** AMD's cards by the kernel driver's files in sysfs, with names from `rocm-smi` where it is installed. */
export class AmdSource implements GpuSource {
  readonly #drm: string;
  readonly #command: string;
  #cards: readonly { device: string; name: string }[] = [];
  #reading: Promise<readonly Gpu[]> | undefined;

  constructor(options: AmdOptions = {}) {
    this.#drm = join(options.sysRoot ?? "/sys", "class", "drm");
    this.#command = options.command ?? "rocm-smi";
  }

  async start(): Promise<void> {
    const entries = await readdir(this.#drm).catch((): string[] => []);
    const found: { card: string; device: string }[] = [];
    for (const card of entries.filter((entry) => /^card\d+$/u.test(entry)).sort(byNumber)) {
      const device = join(this.#drm, card, "device");
      if ((await text(join(device, "vendor"))) === amdVendor) found.push({ card, device });
    }
    if (found.length === 0) return;
    const names = await this.#productNames();
    this.#cards = await Promise.all(
      found.map(async ({ device }, index) => ({
        device,
        // rocm-smi counts AMD's cards alone, sysfs counts everybody's.
        name: names.get(`card${index}`) ?? (await text(join(device, "product_name"))) ?? "AMD GPU",
      })),
    );
  }

  /** A driver that hangs in one file must not pile up reads, so that a running reading is shared. */
  read(): Promise<readonly Gpu[]> {
    this.#reading ??= Promise.all(this.#cards.map(({ device, name }, index) => readCard(device, name, index))).finally(
      () => {
        this.#reading = undefined;
      },
    );
    return this.#reading;
  }

  stop(): void {
    this.#cards = [];
  }

  #productNames(): Promise<Map<string, string>> {
    return new Promise((resolve) => {
      execFile(
        this.#command,
        ["--showproductname", "--json"],
        { timeout: 5_000, killSignal: "SIGKILL" },
        (error, stdout) => {
          resolve(error === null ? parseProductNames(stdout) : new Map());
        },
      );
    });
  }
}

const byNumber = (a: string, b: string) => Number(a.slice(4)) - Number(b.slice(4));

async function readCard(device: string, name: string, index: number): Promise<Gpu> {
  const sensors = await sensorsOf(device);
  const sensor = (file: string) => (sensors === null ? Promise.resolve(null) : number(join(sensors, file)));
  const [util, total, used, temperature, average, input] = await Promise.all([
    number(join(device, "gpu_busy_percent")),
    number(join(device, "mem_info_vram_total")),
    number(join(device, "mem_info_vram_used")),
    sensor("temp1_input"),
    sensor("power1_average"),
    sensor("power1_input"),
  ]);
  const bytesPerMb = 1024 * 1024;
  return {
    id: `rocm:${index}`,
    name,
    util_pct: util === null ? null : Math.min(100, Math.max(0, util)),
    vram_used_mb: scaled(used, bytesPerMb),
    vram_total_mb: scaled(total, bytesPerMb),
    temp_c: scaled(temperature, 1_000),
    power_w: scaled(average ?? input, 1_000_000),
    backend: "rocm",
    compute_capability: null,
    unified_memory: false,
    worker_env: {},
  };
}
