import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "#lib/server/testing/index.ts";
import { layoutOf } from "../layout.ts";
import { evaluate, hasCuda, platformOf, type Wanted } from "./evaluate.ts";
import { readFacts } from "./facts.ts";
import { lookScript } from "./look.ts";

const debian = `os	Linux
arch	x86_64
user	vince
hostname	gaming-pc
os_name	Debian GNU/Linux 12 (bookworm)
glibc	2.36
threads	16
ram_kb	32768000
disk	/dev/nvme0n1p2 959863856 200000000 711000000 22% /
tool	tar
tool	gzip
tool	sha256sum
tool	setsid
nvidia	NVIDIA GeForce RTX 4090, 550.54.14
display	0x10de nvidia
service	systemd
running	
over	yes
`;
const with_ = (...lines: string[]) => `${debian}${lines.join("\n")}\n`;
const without = (text: string, ...facts: string[]) =>
  text
    .split("\n")
    .filter((line) => !facts.includes(line.split("\t")[0] ?? ""))
    .join("\n");
const facts = (output: string) => readFacts(output, { name: "gaming-pc", address: "192.168.1.20:22" });
const wanted: Wanted = { method: { bundle: {} }, port: 7835, localHiveId: null, queenUrl: "http://192.168.1.10:7833" };
const problems = (output: string, change: Partial<Wanted> = {}) =>
  evaluate(facts(output), { ...wanted, ...change }).problems.map(({ code, message }) => `${code}: ${message}`);
const warnings = (output: string) => evaluate(facts(output), wanted).warnings.map(({ code }) => code);

const hiveId = "hive:0b6f1a1e-7a3b-4a57-9b0c-0f3c6f1a2b3c";
const bundleJson = `{"version":"0.1.0","build":"0123456789ab","platform":{"os":"linux","arch":"x64","gpu":"none"},"made_at":1,"node":"26.0.0"}`;

describe("a look at a machine", () => {
  it("reads what it is, and nothing that it does not say", () => {
    expect(facts(debian).machine).toEqual({
      name: "gaming-pc",
      address: "192.168.1.20:22",
      user: "vince",
      os: "linux",
      os_name: "Debian GNU/Linux 12 (bookworm)",
      arch: "x64",
      libc: "glibc",
      cpu_threads: 16,
      ram_total_mb: 32_000,
      disk_free_mb: 694_335,
      gpus: [{ vendor: "nvidia", name: "NVIDIA GeForce RTX 4090", driver: "550.54.14" }],
      service_manager: "systemd",
      existing: null,
    });
    expect(facts("os\tLinux\n").machine).toMatchObject({
      arch: "unknown",
      ram_total_mb: null,
      disk_free_mb: null,
      cpu_threads: null,
      libc: null,
      gpus: [],
      service_manager: "none",
    });
  });

  it("reads a Mac", () => {
    const mac = "os\tDarwin\narch\tarm64\nos_name\tmacOS 15.1\nram_bytes\t17179869184\nservice\tlaunchd\n";
    expect(facts(mac).machine).toMatchObject({ os: "darwin", arch: "arm64", ram_total_mb: 16_384, libc: null });
    expect(platformOf(facts(mac))).toMatchObject({ os: "darwin", arch: "arm64" });
  });

  it("finds the hive that is there, and whether it runs", () => {
    const output = with_(
      `current\t${bundleJson}`,
      "current_tree\t0.1.0-0123456789ab",
      `hive_id\t${hiveId}`,
      "queen_url\thttp://10.0.0.9:7833",
      "running\t4711",
    );
    expect(facts(output).machine.existing).toEqual({
      version: "0.1.0",
      build: "0123456789ab",
      running: true,
      hive_id: hiveId,
      queen_url: "http://10.0.0.9:7833",
    });
  });

  it("runs in every shell there is here, without a word on stderr", () => {
    const home = temporaryFolder();
    const layout = layoutOf(`${home}/it's "home"`, {
      remoteBinaryPath: "~/.local/bin/rbee-hive",
      remoteGitRepoDir: "~/s",
    });
    const shells = [["/bin/sh"], ["/bin/dash"], ["/bin/bash"], ["/bin/busybox", "sh"]].filter(([path = ""]) =>
      existsSync(path),
    );
    const looks = shells.map(([shell = "", ...args]) =>
      facts(
        execFileSync(shell, [...args, "-c", lookScript(layout, 7835)], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "inherit"],
        }),
      ),
    );
    for (const look of looks) {
      expect(look.machine.os).toBe(process.platform);
      expect(look.machine.arch).toBe(process.arch);
      expect(look.machine.disk_free_mb).toBeGreaterThan(0);
      expect(look).toMatchObject({ notWritable: [], foreignProgram: null, pid: null, current: null });
    }
  });
});

describe("what stands in the way of an installation", () => {
  it("is nothing on an ordinary machine", () => {
    expect(problems(debian)).toEqual([]);
    expect(warnings(debian)).toEqual([]);
    expect(hasCuda(facts(debian))).toBe(true);
  });

  it("is named all at once", () => {
    const output = with_("not_writable\t/home/vince", "port_taken\tnginx (process 812)");
    expect(problems(without(output, "tool"), { queenUrl: null })).toEqual([
      "forbidden: vince may not write in /home/vince.",
      "already_exists: Port 7835 is taken by nginx (process 812).",
      "ssh_command_failed: tar is missing on that machine.",
      "ssh_command_failed: gzip is missing on that machine.",
      "ssh_command_failed: sha256sum is missing on that machine.",
      expect.stringMatching(/^queen_unreachable: /u) as string,
    ]);
  });

  it("is a system that rbee's Node does not run on", () => {
    expect(problems(debian.replace("x86_64", "riscv64"))[0]).toContain(
      "does not run on Debian GNU/Linux 12 (bookworm) with riscv64",
    );
    expect(problems(without(with_("musl\tyes"), "glibc"))[0]).toContain("musl");
    expect(problems(debian.replace("2.36", "2.17"))[0]).toContain("glibc 2.17; rbee needs 2.28");
  });

  it("is a lack of room", () => {
    const full = debian.replace("711000000", "100000");
    expect(problems(full)).toEqual([expect.stringContaining("97 MB of disk are free") as string]);
    expect(problems(debian.replace("32768000", "200000"))).toEqual([expect.stringContaining("195 MB") as string]);
  });

  it("is a port that somebody else has, but not the hive's own", () => {
    const taken = with_("port_taken\tMainThread (process 4711)");
    expect(problems(taken)).toHaveLength(1);
    expect(problems(`${taken}running\t4711\n`)).toEqual([]);
    expect(problems(`${taken}running\t4712\n`)).toHaveLength(1);
    expect(problems(with_("port_taken\t"))[0]).toContain("taken by another program");
  });

  it("is what building there needs, when it is to be built there", () => {
    const git = { method: { git: { repo: "https://example.org/rbee", branch: "main" } } };
    expect(problems(debian, git)).toEqual([
      "ssh_command_failed: git is missing on that machine.",
      "ssh_command_failed: npm is missing on that machine.",
      "ssh_command_failed: node is missing on that machine.",
    ]);
    expect(problems(with_("tool\tgit", "tool\tnpm", "node\tv18.19.0"), git)[0]).toContain("Node 18.19.0 is too old");
    expect(problems(with_("tool\tgit", "tool\tnpm", "node\tv20.11.1"), git)).toEqual([]);
  });

  it("is the hive that the queen runs on her own machine", () => {
    expect(problems(with_(`hive_id\t${hiveId}`), { localHiveId: hiveId })[0]).toContain("the queen's own machine");
  });
});

describe("what a person should know before an installation", () => {
  it("is that a card will not be used", () => {
    const broken = with_("nvidia_broken\tNVIDIA-SMI has failed because it couldn't communicate with the driver");
    expect(warnings(without(broken, "nvidia"))).toEqual(["nvidia_driver"]);
    expect(warnings(without(debian, "nvidia"))).toEqual(["nvidia_driver"]);
    expect(hasCuda(facts(without(broken, "nvidia")))).toBe(false);
    expect(warnings(with_("display\t0x1002 amdgpu"))).toEqual(["gpu_unused"]);
  });

  it("is that the hive will not start with the machine", () => {
    expect(warnings(without(debian, "service"))).toEqual(["no_service_manager"]);
  });
});
