import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "#lib/server/testing/index.ts";
import { localToken, openVault } from "./index.ts";

describe("the vault", () => {
  it("gives back what it sealed, also after a restart", () => {
    const home = temporaryFolder();
    const sealed = openVault(home).seal("hive token");
    expect(openVault(home).open(sealed)).toBe("hive token");
    expect(sealed.toString("latin1")).not.toContain("hive token");
  });

  it("seals the same secret differently each time", () => {
    const vault = openVault(temporaryFolder());
    expect(vault.seal("x").equals(vault.seal("x"))).toBe(false);
  });

  it("opens nothing that was changed or that another key sealed", () => {
    const vault = openVault(temporaryFolder());
    const sealed = vault.seal("x");
    const changed = Buffer.from(sealed);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(() => vault.open(changed)).toThrow();
    expect(() => openVault(temporaryFolder()).open(sealed)).toThrow();
  });

  it("keeps its key and the local token to the user", () => {
    const home = temporaryFolder();
    openVault(home);
    expect(localToken(home)).toBe(localToken(home));
    for (const file of ["queen.key", "local-token"]) expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
  });
});
