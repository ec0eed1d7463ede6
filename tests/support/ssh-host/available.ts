import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Whether and how real SSH hosts can be had here. */
export type HostKind = "namespaces" | "loopback";

/** The path of sshd, or null. */
export const sshdPath = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].find(existsSync) ?? null;

/**
 * `namespaces` as root on Linux: whole hosts with addresses of their own. `loopback` elsewhere: an sshd of ours for the
 * account that runs the tests.
 */
export const hostKind: HostKind = canMakeNamespaces() ? "namespaces" : "loopback";

/** Why the suites that need a real sshd are skipped; null when they run. With `CI` set this is an error instead. */
export const whySkipped = reasonToSkip();
/** Why the suites that need hosts with addresses, accounts and disks of their own are skipped; null when they run. */
export const whyNoNamespaces =
  whySkipped ??
  (hostKind === "namespaces" ? null : "needs root and network namespaces (run the tests as root on Linux)");

if (whySkipped !== null && process.env["CI"]) throw new Error(`the SSH suites cannot run: ${whySkipped}`);

function reasonToSkip(): string | null {
  if (process.platform === "win32") return "there is no sshd to test with on Windows";
  return sshdPath === null ? "sshd is missing: apt-get install openssh-server" : null;
}

function canMakeNamespaces(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const name = `rbee-probe-${process.pid}`;
  try {
    execFileSync("ip", ["netns", "add", name], { stdio: "ignore" });
    execFileSync("unshare", ["-mpf", "--mount-proc", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    try {
      execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
    } catch {
      // It was never made.
    }
  }
}
