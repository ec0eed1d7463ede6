import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { helpText, loadConfig, parseCommandLine } from "./config.ts";

const env = { HOME: "/home/bee", RBEE_CONFIG: undefined };
const flagsOf = (...args: string[]) => {
  const command = parseCommandLine(args);
  if (command.kind !== "run") throw new Error("not a run");
  return command.flags;
};

describe("how a hive is started", () => {
  it("flags win over the environment", () => {
    const config = loadConfig(flagsOf("--port", "17000", "--name", "attic"), {
      ...env,
      RBEE_HIVE_PORT: "1",
      RBEE_HIVE_NAME: "cellar",
      RBEE_HIVE_HOME: "/data/hive",
    });
    expect([config.settings.port, config.name, config.settings.home]).toEqual([17_000, "attic", "/data/hive"]);
    expect(config.modelDirs[0]).toBe("/data/hive/models");
  });

  it("the name and port it was installed with count where nothing else is set", () => {
    const home = mkdtempSync(join(tmpdir(), "rbee-hive-"));
    onTestFinished(() => {
      rmSync(home, { recursive: true });
    });
    const identity = {
      hive_id: `hive:${crypto.randomUUID()}`,
      hive_token: "t".repeat(43),
      name: "attic",
      port: 17_001,
    };
    writeFileSync(join(home, "hive.json"), JSON.stringify(identity));
    const started = (more: Record<string, string> = {}) => {
      const { settings, name } = loadConfig(flagsOf("--home", home), { ...env, ...more });
      return [name, settings.port];
    };
    expect(started()).toEqual(["attic", 17_001]);
    expect(started({ RBEE_HIVE_NAME: "cellar", RBEE_HIVE_PORT: "17002" })).toEqual(["cellar", 17_002]);
  });

  it.each([
    [["--port", "many"], "--port must be a port number"],
    [["--queen", "ftp://x"], "--queen must be an http or https URL"],
    [["--join-token", "t"], "--join-token needs --queen"],
    [["--bogus"], "Unknown option '--bogus'"],
    [["stray"], "Unexpected argument 'stray'"],
  ])("says in one line what is wrong with %j", (args, message) => {
    let said = "";
    try {
      loadConfig(flagsOf(...args), env);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toContain(message);
    expect(said).not.toContain("\n");
  });

  it("never shows a join token that is wrong", () => {
    expect(() => loadConfig({}, { ...env, RBEE_JOIN_TOKEN: "secret", RBEE_QUEEN_URL: "nonsense" })).not.toThrow(
      /secret/u,
    );
  });

  it("lists every flag in its help", () => {
    for (const flag of ["--queen", "--join-token", "--name", "--port", "--host", "--home"])
      expect(helpText()).toContain(flag);
  });
});
