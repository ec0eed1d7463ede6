import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "../prepare/command.js";

/**
 * A program that a suite needs and npm cannot bring.
 * @typedef {object} Prerequisite
 * @property {string} name
 * @property {string} debianPackage
 * @property {string} elsewhere How to get it where there is no apt.
 * @property {() => boolean | Promise<boolean>} isPresent
 */

/** @param {string} program */
const onPath = (program) =>
  [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((folder) =>
    existsSync(join(folder, program)),
  );

/** The browser that Playwright manages itself, where somebody installed it. */
async function playwrightsBrowser() {
  const { chromium } = await import("@playwright/test");
  return existsSync(chromium.executablePath());
}

/** @type {Record<"chromium" | "sshd" | "ip" | "busybox", Prerequisite>} */
export const prerequisites = {
  chromium: {
    name: "chromium",
    debianPackage: "chromium",
    elsewhere: "npx playwright install chromium",
    isPresent: () => ["chromium", "chromium-browser", "google-chrome"].some(onPath) || playwrightsBrowser(),
  },
  sshd: {
    name: "sshd",
    debianPackage: "openssh-server",
    elsewhere: "install OpenSSH's server with your system's package manager",
    isPresent: () => onPath("sshd"),
  },
  ip: {
    name: "ip",
    debianPackage: "iproute2",
    elsewhere: "install iproute2 with your system's package manager",
    isPresent: () => process.platform !== "linux" || onPath("ip"),
  },
  // Routers and small boxes have it as their shell, so one of the test hosts does.
  busybox: {
    name: "busybox",
    debianPackage: "busybox",
    elsewhere: "install busybox with your system's package manager",
    isPresent: () => process.platform !== "linux" || onPath("busybox"),
  },
};

/**
 * What some tests use where it is there, and no package brings.
 * @typedef {object} Extra
 * @property {string} name
 * @property {string} how To get it.
 * @property {() => boolean | Promise<boolean>} isPresent
 */

/** @type {Record<"llama", Extra>} */
export const extras = {
  llama: {
    name: "llama-server",
    how: "npm run llama:build (10 to 15 minutes on two cores), or RBEE_LLAMA_SERVER=/path/to/llama-server",
    isPresent: async () => {
      const { llamaServerPath } = await import("../../tests/support/llama.ts");
      return llamaServerPath !== null;
    },
  },
};

const isDebian = () => existsSync("/etc/debian_version") && onPath("apt-get");

/**
 * Installs what is missing where that needs no question: on Debian as root.
 * @param {readonly Prerequisite[]} wanted
 * @returns {Promise<{ missing: Prerequisite[]; advice: string }>} What is missing still, and how a person can mend it.
 */
export async function ensurePrerequisites(wanted) {
  let missing = await absent(wanted);
  if (missing.length === 0) return { missing, advice: "" };
  const names = missing.map(({ debianPackage }) => debianPackage).join(" ");
  if (!isDebian()) return { missing, advice: missing.map(({ elsewhere }) => elsewhere).join("; ") };
  if (process.getuid?.() !== 0) return { missing, advice: `sudo apt-get install --no-install-recommends ${names}` };

  process.stdout.write(`Installing ${names} with apt-get…\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const updated = await run("apt-get", ["update", "-q"], { env });
  const install = ["install", "-q", "-y", "--no-install-recommends", ...names.split(" ")];
  const installed = await run("apt-get", install, { env });
  missing = await absent(missing);
  if (missing.length > 0) process.stdout.write(updated.output + installed.output);
  return { missing, advice: `apt-get update && apt-get install --no-install-recommends ${names}` };
}

/** @param {readonly Prerequisite[]} wanted */
async function absent(wanted) {
  const present = await Promise.all(wanted.map((one) => one.isPresent()));
  return wanted.filter((_, index) => present[index] !== true);
}
