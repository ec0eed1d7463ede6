import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { fakeTool, fixture, fixturePath, temporaryFolder } from "../testing/fixture.ts";
import { AmdSource, parseProductNames } from "./amd.ts";

function sysfs(cards: Record<string, Record<string, string>>): string {
  const root = temporaryFolder();
  for (const [card, files] of Object.entries(cards))
    for (const [file, content] of Object.entries(files)) {
      const path = join(root, "class", "drm", card, "device", file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${content}\n`);
    }
  return root;
}

const radeon = {
  vendor: "0x1002",
  gpu_busy_percent: "42",
  mem_info_vram_total: String(24 * 1024 ** 3),
  mem_info_vram_used: String(3 * 1024 ** 3),
  "hwmon/hwmon3/temp1_input": "51000",
  "hwmon/hwmon3/power1_average": "87500000",
};

async function read(sysRoot: string, command = "/nonexistent/rocm-smi") {
  const source = new AmdSource({ sysRoot, command });
  await source.start();
  return source.read();
}

describe("AMD's cards", () => {
  it("come from sysfs with load, memory, temperature and power", async () => {
    expect(await read(sysfs({ card0: radeon }))).toEqual([
      expect.objectContaining({
        id: "rocm:0",
        name: "AMD GPU",
        util_pct: 42,
        vram_used_mb: 3072,
        vram_total_mb: 24576,
        temp_c: 51,
        power_w: 87.5,
      }),
    ]);
  });

  it("have their names from rocm-smi, in order, beside another vendor's card and connectors", async () => {
    const root = sysfs({
      card0: { vendor: "0x8086" },
      card1: radeon,
      card10: radeon,
      "card1-HDMI-A-1": { status: "on" },
    });
    const tool = fakeTool(`cat ${fixturePath("rocm-smi-products.json")}`);
    expect((await read(root, tool)).map(({ id, name }) => `${id} ${name}`)).toEqual([
      "rocm:0 AMD Radeon RX 7900 XTX",
      "rocm:1 Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]",
    ]);
  });

  it("leave unknown what the driver does not offer or what is garbage", async () => {
    const root = sysfs({
      card0: { vendor: "0x1002", gpu_busy_percent: "busy", "hwmon/hwmon0/power1_input": "9000000" },
    });
    expect(await read(root, fakeTool("echo garbage"))).toEqual([
      expect.objectContaining({ util_pct: null, vram_used_mb: null, vram_total_mb: null, temp_c: null, power_w: 9 }),
    ]);
  });

  it("are none on a machine without the folder", async () => {
    expect(await read(temporaryFolder())).toEqual([]);
  });

  it("have names even when rocm-smi warns first", () => {
    expect(parseProductNames(fixture("rocm-smi-warning.txt"))).toEqual(new Map([["card0", "Radeon RX 6700 XT"]]));
  });
});
