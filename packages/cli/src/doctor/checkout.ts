import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { programRoot } from "../program-root.ts";
import { fail, ok, warn, type Check } from "./finding.ts";

interface TestPrerequisites {
  prerequisites: Record<string, { name: string; debianPackage: string; isPresent(): boolean | Promise<boolean> }>;
}

/** What the tests need, where there are tests; a lack of it is no failure unless somebody asks for it. */
export async function checkoutChecks(isAsked: boolean): Promise<readonly Check[]> {
  const file = join(programRoot, "scripts/test/prerequisites.js");
  if (!existsSync(file) || !(isAsked || existsSync(join(programRoot, ".git")))) return [];
  const { prerequisites } = (await import(pathToFileURL(file).href)) as TestPrerequisites;
  return Object.values(prerequisites).map(({ name, debianPackage, isPresent }) => ({
    name,
    look: async () =>
      (await isPresent())
        ? ok(name, "is installed")
        : (isAsked ? fail : warn)(
            name,
            "is not installed; only rbee's own tests need it",
            `On Debian: sudo apt-get install ${debianPackage}.`,
          ),
  }));
}
