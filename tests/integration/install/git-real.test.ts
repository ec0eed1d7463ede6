import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/folder.ts";
import { startInstalling, succeeded } from "../../support/installing.ts";
import { projectRoot } from "../../support/process.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import { run } from "../../support/ssh-host/run.ts";

describe.skipIf(whyNoNamespaces !== null)("building rbee itself on a machine", { timeout: 400_000 }, () => {
  it("makes it a hive whose chat is answered there", async () => {
    const installing = await startInstalling({ env: { RBEE_INSTALL_TIMEOUT: "360" } });
    const repository = temporaryFolder("rbee-repository");
    try {
      await run("git", ["clone", "-q", projectRoot, repository.path]);
      await run("git", ["-C", repository.path, "checkout", "-q", "-B", "main"]);
      await run("chmod", ["-R", "a+rX", repository.path]);
      const host = await installing.machine("builder");
      // Test hosts reach no registry: what npm has fetched for this checkout has to do.
      const [cache = "", registry = ""] = (await run("npm", ["config", "get", "cache", "registry"]))
        .split("\n")
        .map((line) => line.replace(/^\w+=/u, ""));
      await run("cp", ["-a", join(cache, "_cacache"), join(host.home, "npm-cache")]);
      await run("mkdir", ["-p", join(host.home, ".npm")]);
      await run("mv", [join(host.home, "npm-cache"), join(host.home, ".npm/_cacache")]);
      writeFileSync(join(host.home, ".npmrc"), `registry=${registry}\nprefer-offline=true\n`);
      writeFileSync(join(host.home, ".gitconfig"), "[safe]\n\tdirectory = *\n");
      await host.asRoot(`chown -R ${host.user} '${host.home}/.npm'`);
      const method = { git: { repo: repository.path, branch: "main" } };
      const { text } = succeeded(await installing.install("builder", { method }));
      expect(text).toContain("build_complete: ");
      const answer = await installing.household.admin.chat({
        body: { model: "bee-tiny", messages: [{ role: "user", content: "Hello" }], max_tokens: 8, stream: false },
        timeoutMs: 60_000,
      });
      expect(answer.choices[0]?.message.content).not.toBe("");
    } finally {
      repository.remove();
      await installing.stop();
    }
  });
});
