import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { fixture } from "../testing/fixture.ts";
import { cpuPercent, fastCoresFrom, parseCpuinfo, parseProcStat, readCpuInventory, readCpuTimes } from "./cpu.ts";
import { parseMeminfo, parseVmStat, readDiskFreeMb, readMemory } from "./memory.ts";
import { parseLinuxProcess, parsePs, processStartedAt, readProcesses } from "./processes.ts";

describe("the processor", () => {
  it("has as many cores as there are distinct pairs of socket and core", () => {
    expect(parseCpuinfo(fixture("cpuinfo-two-sockets.txt"))).toEqual({
      model: "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz",
      cores: 3,
    });
  });

  it("has an unknown number of cores where cpuinfo does not name them", () => {
    expect(parseCpuinfo(fixture("cpuinfo-arm.txt"))).toEqual({ model: null, cores: null });
  });

  it("has fast cores where the kernel tells efficiency cores apart, and none to speak of where all are alike", () => {
    const sysRoot = mkdtempSync(join(tmpdir(), "rbee-sys-"));
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(sysRoot, file)), { recursive: true });
      writeFileSync(join(sysRoot, file), `${text}\n`);
    };
    const core = (cpu: number, id: number, capacity: number) => {
      write(`devices/system/cpu/cpu${cpu}/topology/physical_package_id`, "0");
      write(`devices/system/cpu/cpu${cpu}/topology/core_id`, String(id));
      write(`devices/system/cpu/cpu${cpu}/cpu_capacity`, String(capacity));
    };
    try {
      expect(fastCoresFrom(sysRoot)).toBeNull();
      for (let cpu = 0; cpu < 4; cpu += 1) core(cpu, cpu, 1_024);
      expect(fastCoresFrom(sysRoot)).toBeNull();
      // Four big cores and four little ones, as boards with ARM processors have them.
      for (let cpu = 4; cpu < 8; cpu += 1) core(cpu, cpu, 530);
      expect(fastCoresFrom(sysRoot)).toBe(4);
      // Two performance cores of two threads each, and two efficiency cores.
      for (const [cpu, id] of [0, 0, 1, 1, 2, 3].entries()) core(cpu, id, 1_024);
      write("devices/cpu_core/cpus", "0-2,3");
      expect(fastCoresFrom(sysRoot)).toBe(2);
    } finally {
      rmSync(sysRoot, { recursive: true });
    }
  });

  it("is busy for what is neither idle nor waiting for a disk", () => {
    expect(parseProcStat(fixture("proc-stat.txt"))).toEqual({ busy: 165, total: 1015 });
    expect(parseProcStat("cpu garbage here")).toBeNull();
  });

  it("is busy in percent of the time between two readings, and unknown when none has passed", () => {
    expect(cpuPercent({ busy: 100, total: 1_000 }, { busy: 130, total: 1_100 })).toBe(30);
    expect(cpuPercent({ busy: 100, total: 1_000 }, { busy: 100, total: 1_000 })).toBeNull();
  });

  it("can be read here", async () => {
    expect((await readCpuInventory()).threads).toBeGreaterThan(0);
    expect(readCpuTimes()?.total).toBeGreaterThan(0);
  });
});

describe("memory", () => {
  it("is free as far as the kernel says it is available", () => {
    expect(parseMeminfo(fixture("meminfo.txt"))).toEqual({ totalMb: 16315404 / 1024, freeMb: 9876543 / 1024 });
    expect(parseMeminfo("MemTotal: 1 kB")).toBeNull();
  });

  it("is free on a Mac in pages that are free or given back on demand", () => {
    expect(parseVmStat(fixture("vm_stat.txt"))).toBeCloseTo(((3632 + 263301 + 1549 + 4000) * 16384) / 1024 ** 2, 5);
    expect(parseVmStat("garbage")).toBeNull();
  });

  it("can be read here, and disk space too", async () => {
    expect((await readMemory())?.totalMb).toBeGreaterThan(0);
    expect(await readDiskFreeMb("/")).toBeGreaterThan(0);
    expect(await readDiskFreeMb("/nonexistent")).toBeNull();
  });
});

describe("a process", () => {
  it("is read from /proc even when its name looks like other fields", () => {
    expect(parseLinuxProcess(fixture("proc-pid-stat.txt"), fixture("proc-pid-status.txt"))).toEqual({
      cpuSeconds: 15,
      rssMb: 92048 / 1024,
    });
  });

  it("is read from ps in each of its ways to write a time", () => {
    expect(parsePs(fixture("ps.txt"))).toEqual(
      new Map([
        [501, { cpuSeconds: 1.25, rssMb: 92048 / 1024 }],
        [502, { cpuSeconds: 93_784.5, rssMb: 1 }],
        [503, { cpuSeconds: 43_201, rssMb: 2 }],
      ]),
    );
  });

  it("that runs here has a memory size and a start that stays the same; one that does not has neither", async () => {
    const readings = await readProcesses([process.pid, 2 ** 22 + 1]);
    expect([...readings.keys()]).toEqual([process.pid]);
    expect(readings.get(process.pid)?.rssMb).toBeGreaterThan(1);
    expect(processStartedAt(process.pid)).toBe(processStartedAt(process.pid));
    expect(processStartedAt(process.pid)).not.toBeNull();
    expect(processStartedAt(2 ** 22 + 1)).toBeNull();
  });
});
