import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { frugalFlags } from "./frugal.ts";
import { launcher } from "./launcher.ts";
import { temporaryFolder, writeFiles } from "./testing/small-root.ts";

/** A tree whose "Node" prints what it was started with. */
function tree(): { folder: string; program: string; script: string } {
  const folder = join(temporaryFolder(), 'it\'s a "tree" $HOME');
  writeFiles(folder, { "bin/rbee-hive": launcher, "node/bin/node": "#!/bin/sh\nprintf '%s\\n' \"$@\"\n" });
  return { folder, program: join(folder, "bin/rbee-hive"), script: join(folder, "packages/hive/bin/rbee-hive.js") };
}

const run = (program: string, args: readonly string[], cwd: string, path = "/usr/bin:/bin") =>
  execFileSync(program, args, { cwd, env: { PATH: path }, encoding: "utf8" })
    .trimEnd()
    .split("\n");

it("the launcher starts its own tree's Node with its own hive and every argument as it was", () => {
  const { program, script } = tree();
  expect(run(program, ["--name", 'the  attic\'s "hive"', "*"], "/")).toEqual([
    ...frugalFlags,
    script,
    "--name",
    'the  attic\'s "hive"',
    "*",
  ]);
});

it("the launcher keeps the C library to one heap, unless somebody wants more", () => {
  const { folder, program } = tree();
  writeFiles(folder, { "node/bin/node": "#!/bin/sh\necho $MALLOC_ARENA_MAX\n" });
  expect(run(program, [], "/")).toEqual(["1"]);
  expect(execFileSync(program, { env: { MALLOC_ARENA_MAX: "4" }, encoding: "utf8" })).toBe("4\n");
});

it("the launcher finds its tree through relative and absolute links, from any folder and from PATH", () => {
  const { folder, program, script } = tree();
  const elsewhere = temporaryFolder();
  const bin = join(elsewhere, "my bin");
  mkdirSync(bin);
  symlinkSync(folder, join(elsewhere, "current"));
  symlinkSync("../current/bin/rbee-hive", join(bin, "first"));
  symlinkSync(join(bin, "first"), join(bin, "rbee-hive"));
  expect(run(join(bin, "rbee-hive"), ["a"], "/")).toEqual([...frugalFlags, script, "a"]);
  expect(run("./rbee-hive", [], bin)).toEqual([...frugalFlags, script]);
  expect(run("/bin/sh", ["rbee-hive"], bin)).toEqual([...frugalFlags, script]);
  expect(run("/bin/sh", ["-c", "rbee-hive b"], "/", `${bin}:/usr/bin:/bin`)).toEqual([...frugalFlags, script, "b"]);
  expect(run(program, [], elsewhere)).toEqual([...frugalFlags, script]);
});
