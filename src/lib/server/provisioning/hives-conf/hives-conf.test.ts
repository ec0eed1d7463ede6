import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { afterAll, describe, expect, it } from "vitest";
import { parseHivesConf, readHivesConf, type Mistake } from "./index.ts";

const parse = (text: string) => parseHivesConf(text, "hives.conf");

function mistakesIn(text: string): Mistake[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof RbeeError && error.code === "invalid_request") return error.details?.["mistakes"] as Mistake[];
    throw error;
  }
  return [];
}

describe("hives.conf", () => {
  it("declares machines in full", () => {
    const text = `
[[hive]]
alias = "gaming-pc"
hostname = "192.168.1.20"
ssh_port = 2222
ssh_user = "vince"
hive_port = 7900
auto_start = false
install_method = { git = { repo = "https://example.com/rbee.git", branch = "next" } }

[[hive]]
alias = "attic"
install_method = { binary = { path = "/srv/hive.tar.gz" } }
`;
    expect(parse(text)).toEqual([
      {
        alias: "gaming-pc",
        target: "vince@192.168.1.20:2222",
        hivePort: 7900,
        autoStart: false,
        installMethod: { git: { repo: "https://example.com/rbee.git", branch: "next" } },
      },
      {
        alias: "attic",
        target: "attic",
        hivePort: 7835,
        autoStart: true,
        installMethod: { binary: { path: "/srv/hive.tar.gz" } },
      },
    ]);
  });

  it("takes the alias as what ssh would be given when there is no hostname", () => {
    expect(parse('[[hive]]\nalias = "attic"\nssh_user = "bee"')[0]).toMatchObject({
      target: "bee@attic",
      hivePort: 7835,
      autoStart: true,
      installMethod: { bundle: {} },
    });
  });

  it("writes an IPv6 address so that its port can be told", () => {
    expect(parse('[[hive]]\nalias = "a"\nhostname = "fd00::20"\nssh_port = 22')[0]?.target).toBe("[fd00::20]:22");
    expect(parse('[[hive]]\nalias = "a"\nhostname = "fd00::20"')[0]?.target).toBe("fd00::20");
  });

  it("names every mistake at once, with line, entry and field", () => {
    const text = `# the household
[[hive]]
alias = "gaming-pc"
hive_port = 70000
auto_start = "yes"
colour = "blue"

[[hive]]
hostname = "not a host"

[[hive]]
alias = "attic"
[hive.install_method.git]
branch = "main"
depth = 1
`;
    expect(mistakesIn(text)).toEqual([
      { line: 4, entry: 1, field: "hive_port", message: "must be 1 to 65535" },
      { line: 5, entry: 1, field: "auto_start", message: "must be true or false" },
      { line: 6, entry: 1, field: "colour", message: expect.stringMatching(/^is not known here; known are alias/u) },
      { line: 8, entry: 2, field: "alias", message: "is missing" },
      { line: 9, entry: 2, field: "hostname", message: expect.stringContaining("must be a host name") },
      { line: 13, entry: 3, field: "install_method.git.repo", message: expect.stringContaining("is missing") },
      { line: 13, entry: 3, field: "install_method.git.depth", message: "is not known here" },
    ]);
    expect(() => parse(text)).toThrow(/7 mistakes.*line 4, entry 1, `hive_port`: must be 1 to 65535; line 5/u);
  });

  it.each([
    ["install_method = { cloud = {} }", "install_method"],
    ["install_method = { bundle = {}, git = { repo = 'x' } }", "install_method"],
    ["install_method = 'bundle'", "install_method"],
    ["install_method = { git = { repo = 'x', branch = '--upload-pack=x' } }", "install_method.git.branch"],
    ["ssh_user = 'a b'", "ssh_user"],
    ["ssh_user = 'x@y:'", "ssh_user"],
    ["hostname = '-oProxyCommand=x'", "hostname"],
    ["hostname = ''", "hostname"],
    ["ssh_port = 0", "ssh_port"],
    ["ssh_port = 22.5", "ssh_port"],
  ])("refuses %s", (line, field) => {
    expect(mistakesIn(`[[hive]]\nalias = "pc"\n${line}`)).toMatchObject([{ line: 3, entry: 1, field }]);
  });

  it("refuses an alias that is used twice, and an address that is used twice", () => {
    const text = `[[hive]]
alias = "one"
hostname = "10.0.0.1"
[[hive]]
alias = "ONE"
hostname = "10.0.0.2"
[[hive]]
alias = "two"
hostname = "10.0.0.1"
ssh_port = 22
ssh_user = "other"
`;
    expect(mistakesIn(text)).toEqual([
      { line: 5, entry: 2, field: "alias", message: '"ONE" is the alias of entry 1 in line 1 already' },
      { line: 9, entry: 3, field: "hostname", message: "10.0.0.1 is the address of entry 1 in line 1 already" },
    ]);
  });

  it("takes two machines behind one address on different ports", () => {
    const text =
      '[[hive]]\nalias = "a"\nhostname = "h"\nssh_port = 22\n[[hive]]\nalias = "b"\nhostname = "h"\nssh_port = 2222';
    expect(parse(text)).toHaveLength(2);
  });

  it("says in which line it is no TOML", () => {
    expect(mistakesIn('[[hive]]\nalias = "pc"\nhive_port =\n')).toMatchObject([{ line: 3, entry: null, field: null }]);
  });

  it("refuses what does not belong to it, by name", () => {
    expect(mistakesIn("[queen]\nport = 1\n")).toMatchObject([{ field: "queen" }]);
    expect(mistakesIn('[hive]\nalias = "pc"\n')).toMatchObject([{ field: "hive", message: /two brackets/u }]);
  });

  it("tells no line rather than a wrong one when entries are written in another form", () => {
    expect(mistakesIn('hive = [{ alias = "pc", hive_port = 0 }]\n')).toMatchObject([
      { line: null, entry: 1, field: "hive_port" },
    ]);
  });

  describe("as a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "rbee-hives-conf-"));
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    it("that is missing declares nothing and says what to do", async () => {
      expect(await readHivesConf(join(folder, "none"))).toMatchObject({
        entries: [],
        hint: expect.stringContaining("hives.conf does not exist"),
      });
    });

    it("that is there is read from the administrator's folder", async () => {
      writeFileSync(join(folder, "hives.conf"), '[[hive]]\nalias = "pc"\n');
      expect(await readHivesConf(folder)).toMatchObject({ entries: [{ alias: "pc" }], hint: null });
    });

    it("that is a folder is refused", async () => {
      const other = join(folder, "other");
      mkdirSync(join(other, "hives.conf"), { recursive: true });
      await expect(readHivesConf(other)).rejects.toMatchObject({ code: "invalid_request", message: /EISDIR/u });
    });
  });
});
