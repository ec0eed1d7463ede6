import { execFileSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeArchive } from "./archive.ts";
import type { TreeFile } from "./plan.ts";
import { temporaryFolder, writeFiles } from "./testing/small-root.ts";

const long = `${"deep/".repeat(60)}file.js`;
const medium = `${"a".repeat(90)}/${"b".repeat(90)}.js`;

function someFiles(): { folder: string; files: TreeFile[] } {
  const folder = temporaryFolder();
  writeFiles(folder, { big: "0123456789".repeat(200_000), exact: "x".repeat(512), empty: "", "with space": "é" });
  const of = (path: string, name: string, executable = false): TreeFile => ({
    path,
    bytes: statSync(join(folder, name)).size,
    executable,
    content: { file: join(folder, name) },
  });
  const files = [of("bin/big", "big", true), of(long, "exact"), of(medium, "empty"), of("it's ü", "with space")];
  return { folder, files: [...files, { path: "text", bytes: 2, executable: false, content: { text: "hi" } }] };
}

it("an archive is what any tar unpacks: contents, long names, executable bits", async () => {
  const { folder, files } = someFiles();
  const archive = join(folder, "a.tar.gz");
  let told = 0;
  const { bytes } = await writeArchive(archive, files, (more) => (told += more));
  expect(statSync(archive).size).toBe(bytes);
  expect(told).toBe(files.reduce((sum, file) => sum + file.bytes, 0));
  const out = temporaryFolder();
  execFileSync("tar", ["-xzf", archive, "-C", out]);
  for (const { path, content, executable } of files) {
    expect(readFileSync(join(out, path), "utf8"), path).toBe(
      "text" in content ? content.text : readFileSync(content.file, "utf8"),
    );
    expect((statSync(join(out, path)).mode & 0o111) !== 0, path).toBe(executable);
  }
});

it("the same files give the same archive, in whatever order and of whatever age they are", async () => {
  const { folder, files } = someFiles();
  const first = await writeArchive(join(folder, "1"), files, () => {});
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1, 1);
  expect(await writeArchive(join(folder, "2"), files.toReversed(), () => {})).toEqual(first);
});

it("a file that grows meanwhile spoils the archive rather than shifting what follows", async () => {
  const { folder, files } = someFiles();
  appendFileSync(join(folder, "big"), "more");
  await expect(writeArchive(join(folder, "a"), files, () => {})).rejects.toMatchObject({
    code: "internal_error",
    message: expect.stringContaining("changed while it was packed"),
  });
});

it("packing ends when it is aborted", async () => {
  const { folder, files } = someFiles();
  const stop = new AbortController();
  const packing = writeArchive(join(folder, "a"), files, () => stop.abort(), stop.signal);
  await expect(packing).rejects.toMatchObject({ name: "AbortError" });
});
