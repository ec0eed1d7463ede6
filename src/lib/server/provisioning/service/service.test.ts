import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually, temporaryFolder } from "#lib/server/testing/index.ts";
import { layoutOf } from "../layout.ts";
import { aliveFunction } from "./alive.ts";
import { plistText } from "./launchd.ts";
import { readStopEnd, stopScript } from "./process.ts";
import { serviceFor } from "./service.ts";
import { unitText } from "./systemd.ts";

const odd = layoutOf(`/home/Vin's "50%" $HOME`, { remoteBinaryPath: "~/bin/rbee-hive", remoteGitRepoDir: "/opt/s" });
const sh = (script: string, env: Record<string, string> = {}) =>
  execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", env: { ...process.env, ...env } });

describe("the layout", () => {
  it("puts everything below the home folder, but what has a place of its own", () => {
    expect(
      layoutOf("/home/ann/", { remoteBinaryPath: "~/bin/rbee-hive", remoteGitRepoDir: "/opt/rbee" }),
    ).toMatchObject({
      hive: "/home/ann/.local/share/rbee/hive",
      current: "/home/ann/.local/share/rbee/hive/current",
      program: "/home/ann/bin/rbee-hive",
      source: "/opt/rbee",
    });
  });
});

describe("the systemd unit", () => {
  it("quotes paths as systemd reads them", () => {
    expect(unitText(odd)).toContain(
      `ExecStart=/bin/sh -c 'exec "$$0" "$$@"' "/home/Vin's \\"50%%\\" $$HOME/.local/share/rbee/hive/current/bin/rbee-hive" --home "/home/Vin's \\"50%%\\" $$HOME/.local/share/rbee/hive"\n`,
    );
  });
  it("starts a hive that failed again, lets answers end, and starts with the account", () => {
    expect(unitText(odd)).toMatch(/Restart=on-failure\n[^]*TimeoutStopSec=40\n[^]*WantedBy=default.target\n/u);
  });
});

describe("the launch agent", () => {
  it("is XML, whatever the path", () => {
    const text = plistText({ ...odd, hive: "/a&b<c" }, { autoStart: false });
    expect(text).toContain("<string>--home</string>\n    <string>/a&amp;b&lt;c</string>");
    expect(text).toContain("<key>RunAtLoad</key>\n  <false/>");
  });
});

/** A folder like a hive's, whose program writes a lock as a hive does and then goes on until it is told to stop. */
function smallHive(stubborn = false) {
  const home = join(temporaryFolder(), `it's "home"`);
  const layout = layoutOf(home, { remoteBinaryPath: "~/bin/rbee-hive", remoteGitRepoDir: "~/s" });
  mkdirSync(join(layout.current, "bin"), { recursive: true });
  mkdirSync(layout.logs, { recursive: true });
  writeFileSync(
    join(layout.current, "bin/rbee-hive"),
    `#!/bin/sh
${stubborn ? "trap '' TERM" : ""}
${aliveFunction}
printf '{"pid":%s,"started_at":"%s"}' $$ "$(started_at $$)" >"$2/hive.lock"
echo ready for bees
while :; do sleep 0.1; done
`,
    { mode: 0o755 },
  );
  const service = serviceFor("none");
  sh(service.install(layout, { autoStart: true }));
  const pid = Number(sh(service.start(layout)));
  onTestFinished(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  });
  const isLocked = () => {
    try {
      return readFileSync(join(layout.hive, "hive.lock"), "utf8").includes(String(pid));
    } catch {
      return false;
    }
  };
  const runs = () => {
    try {
      sh(service.status(layout));
      return true;
    } catch {
      return false;
    }
  };
  return { layout, service, pid, isLocked, runs };
}

describe("a hive without a service manager", () => {
  it("runs in a session of its own, and what it says is kept", async () => {
    const { layout, service, pid, isLocked, runs } = smallHive();
    await eventually(isLocked);
    expect(runs()).toBe(true);
    const session = Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3]);
    expect(session).toBe(pid);
    expect(await eventually(() => sh(service.lastWords(layout)).trim() || undefined)).toBe("ready for bees");
  });

  it("is ended and waited for", async () => {
    const { layout, service, isLocked, runs } = smallHive();
    await eventually(isLocked);
    expect(readStopEnd(sh(stopScript(service, layout)))).toBe("ended");
    expect(runs()).toBe(false);
    expect(readStopEnd(sh(stopScript(service, layout)))).toBe("absent");
  });

  it("is never taken for another process that got its number", async () => {
    const { layout, service, isLocked, runs } = smallHive();
    await eventually(isLocked);
    sh(stopScript(service, layout));
    const other = spawn("sleep", ["30"]);
    onTestFinished(() => {
      other.kill("SIGKILL");
    });
    const number = String(other.pid);
    for (const file of [join(layout.hive, "hive.lock"), join(layout.hive, "service.pid")])
      writeFileSync(file, readFileSync(file, "utf8").replace(/\d+/u, number));
    expect(runs()).toBe(false);
    expect(readStopEnd(sh(stopScript(service, layout)))).toBe("absent");
    expect(other.exitCode ?? other.signalCode).toBeNull();
  });
});
