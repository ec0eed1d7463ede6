import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listSshHosts, resolveTarget, type ResolveOptions } from "./resolve.ts";
import { parseDestination } from "./target.ts";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "rbee-resolve-"));
  mkdirSync(join(home, ".ssh", "conf.d"), { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const config = (text: string, name = "config") => writeFileSync(join(home, ".ssh", name), text);
const resolve = async (destination: string, options: ResolveOptions = {}) =>
  resolveTarget(destination, { home, env: {}, ...options });

describe("what a person writes", () => {
  it.each([
    ["vince@10.0.0.4:2222", { host: "10.0.0.4", user: "vince", port: 2222 }],
    ["attic", { host: "attic", user: undefined, port: undefined }],
    ["[fe80::1%eth0]:22", { host: "fe80::1%eth0", user: undefined, port: 22 }],
    ["vince@fd00::7", { host: "fd00::7", user: "vince", port: undefined }],
  ])("reads %s", (text, expected) => expect(parseDestination(text)).toEqual(expected));

  it.each([
    "",
    "-oProxyCommand=x",
    "a b",
    "a;b",
    "$(x)",
    "a@-b",
    "-l@host",
    "host:99999",
    "host:",
    "a'b",
    "`x`",
    "a/b",
    "x\ny",
  ])("refuses %j", (text) =>
    expect(() => parseDestination(text)).toThrowError(expect.objectContaining({ code: "invalid_request" })),
  );
});

describe("ssh settings", () => {
  it("lets the first line that says something win, adds identity files up and expands tokens", async () => {
    config(
      "Host attic\n  HostName %h.lan\n  Port 2200\n  IdentityFile ~/.ssh/%r@%h\n" +
        "Host !cellar *\n  Port 22\n  User vince\n  IdentityFile %d/second\n  IdentityFile ${KEYS}/third\n",
    );
    expect(await resolve("attic", { env: { KEYS: "/keys", SSH_AUTH_SOCK: "/agent" } })).toMatchObject({
      name: "attic",
      host: "attic.lan",
      port: 2200,
      user: "vince",
      identityFiles: [join(home, ".ssh/vince@attic.lan"), join(home, "second"), "/keys/third"],
      identitiesOnly: false,
      agentSocket: "/agent",
    });
    expect(await resolve("cellar")).toMatchObject({ user: userInfo().username, port: 22 });
    expect(await resolve("root@attic:9")).toMatchObject({ user: "root", port: 9 });
  });

  it("uses the usual keys and known_hosts when the config says nothing", async () => {
    config("");
    const target = await resolve("attic");
    expect(target.identityFiles).toEqual(["id_rsa", "id_ecdsa", "id_ed25519"].map((name) => join(home, ".ssh", name)));
    expect(target.knownHostsFiles).toContain(join(home, ".ssh", "known_hosts"));
  });

  it("follows Include, also inside a Host block, and lists the hosts that are named outright", async () => {
    config("Include conf.d/*\nHost attic\n  Include inner\nHost *.lan ?x\n  User nobody\n");
    config("Port 2022\n", "inner");
    config("Host cellar shed\n  HostName 10.0.0.9\n", "conf.d/10-more");
    expect((await resolve("attic")).port).toBe(2022);
    expect(await resolve("shed")).toMatchObject({ host: "10.0.0.9", port: 22 });
    expect(listSshHosts({ home })).toEqual(["cellar", "shed", "attic"]);
  });

  it("never runs the command of a Match exec block when it reads the file itself", async () => {
    const proof = join(home, "proof");
    config(`Match host attic exec "touch ${proof}"\n  User ran\nMatch host attic\n  User matched\n`);
    expect((await resolve("attic")).user).toBe("matched");
    expect(() => execFileSync("ls", [proof], { stdio: "ignore" })).toThrow();
  });

  it("resolves every host of a chain of jumps, with the jumps of its first host", async () => {
    config(
      "Host inner\n  ProxyJump vince@middle:2201,last\nHost middle\n  HostName 10.0.0.2\n  ProxyJump door\n" +
        "Host door\n  HostName 10.0.0.1\n  User porter\nHost last\n  HostName 10.0.0.3\n",
    );
    const { jumps } = await resolve("inner");
    expect(jumps.map(({ user, host, port }) => `${user}@${host}:${port}`)).toEqual([
      "porter@10.0.0.1:22",
      "vince@10.0.0.2:2201",
      `${userInfo().username}@10.0.0.3:22`,
    ]);
  });

  it.each([
    ["a circle of jumps", "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n"],
    ["a ProxyCommand", "Host a\n  ProxyCommand nc %h %p\n"],
    ["a host name that is none", "Host a\n  HostName $(reboot)\n"],
  ])("refuses %s", async (_, text) => {
    config(text);
    await expect(resolve("a")).rejects.toMatchObject({ code: "invalid_request" });
  });

  it("appends the household's domain to bare names that are neither aliases nor localhost nor addresses", async () => {
    config("Host attic\n  User vince\nHost *.home.arpa\n  User homer\n");
    const host = async (name: string) => (await resolve(name, { domain: "home.arpa" })).host;
    expect(await host("attic")).toBe("attic");
    expect(await resolve("cellar", { domain: "home.arpa" })).toMatchObject({ host: "cellar.home.arpa", user: "homer" });
    expect(await Promise.all(["localhost", "a.b", "10.0.0.1", "::1"].map(host))).toEqual([
      "localhost",
      "a.b",
      "10.0.0.1",
      "::1",
    ]);
  });

  it.skipIf(!hasSsh())("agrees with ssh itself", async () => {
    config(
      "Host attic\n  HostName %h.lan\n  Port 2200\n  User vince\n  IdentitiesOnly yes\n  HostKeyAlias the-attic\n" +
        `  IdentityFile ${home}/key\n  ProxyJump door\n  IdentityAgent none\n  UserKnownHostsFile ${home}/a ${home}/b\n` +
        "Host door\n  HostName 10.0.0.1\n",
    );
    const configPath = join(home, ".ssh", "config");
    const ours = await resolve("attic", { configPath, askSsh: false });
    const theirs = await resolve("attic", { configPath, askSsh: true });
    const known = ({ jumps, ...target }: typeof ours) => [
      target,
      jumps.map(({ host, user, port }) => ({ host, user, port })),
    ];
    expect(known(theirs)).toEqual(known(ours));
  });
});

function hasSsh(): boolean {
  try {
    execFileSync("ssh", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
