import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeSettings, hiveSettings, loadSettings, queenSettings, SettingsError } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "rbee-settings-"));
const write = (name: string, text: string) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

describe("settings", () => {
  it("come from flags, then the environment, then the file, then the default", () => {
    const file = write("order.toml", "[queen]\nport = 1\nhost = '10.0.0.1'\n[log]\nlevel = 'warn'\n");
    const loaded = loadSettings(queenSettings, {
      flags: { port: 3 },
      env: { HOME: "/home/x", RBEE_PORT: "2", RBEE_HOST: "10.0.0.2" },
      files: [file],
    });
    expect([loaded.values.port, loaded.values.host, loaded.values.logLevel, loaded.values.loadWaitS]).toEqual([
      3,
      "10.0.0.2",
      "warn",
      120,
    ]);
    expect([loaded.sources.port, loaded.sources.host, loaded.sources.logLevel, loaded.sources.loadWaitS]).toEqual([
      "flag",
      "environment",
      "file",
      "default",
    ]);
  });

  it("an empty environment variable counts as unset", () => {
    expect(loadSettings(queenSettings, { env: { HOME: "/h", RBEE_PORT: "" }, files: [] }).values.port).toBe(7833);
  });

  it("a wrong value is one line that names the variable and what is allowed", () => {
    const load = () => loadSettings(queenSettings, { env: { HOME: "/h", RBEE_PORT: "eighty" }, files: [] });
    expect(load).toThrow(SettingsError);
    expect(load).toThrow('RBEE_PORT must be a port number, not "eighty".');
  });

  it("a broken settings file names its line", () => {
    expect(() =>
      loadSettings(queenSettings, { env: { HOME: "/h" }, files: [write("broken.toml", "a = 1\n[queen\n")] }),
    ).toThrow(/not valid TOML: line 2/u);
  });

  it("a settings file that was named but is missing is an error", () => {
    expect(() =>
      loadSettings(queenSettings, { env: { HOME: "/h", RBEE_CONFIG: join(folder, "nowhere.toml") } }),
    ).toThrow(/nowhere.toml cannot be read/u);
  });

  it("secrets are masked where settings are printed and absent from errors", () => {
    const loaded = loadSettings(queenSettings, {
      env: { HOME: "/h", RBEE_ADMIN_PASSWORD: "hunter2hunter2" },
      files: [],
    });
    expect(JSON.stringify(describeSettings(queenSettings, loaded))).not.toContain("hunter2");
  });

  it("a hive's home follows the queen's", () => {
    expect(loadSettings(hiveSettings, { env: { HOME: "/h", RBEE_HOME: "/data" }, files: [] }).values.home).toBe(
      "/data/hive",
    );
  });
});
