import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** Where programs are that a service's short PATH leaves out. */
const usualFolders = process.platform === "win32" ? [] : ["/usr/local/bin", "/opt/homebrew/bin"];

const fileName = (name: string) => (process.platform === "win32" ? `${name}.exe` : name);

/** The folders of programs that were built for this machine, in the cache of `npm run llama:build`, newest first. */
function builtFolders(cache: string): string[] {
  const suffix = `-${process.platform}-${process.arch}`;
  try {
    return readdirSync(cache)
      .filter((name) => name.endsWith(suffix))
      .map((name) => ({ bin: join(cache, name, "bin"), at: statSync(join(cache, name)).mtimeMs }))
      .sort((a, b) => b.at - a.at)
      .map(({ bin }) => bin);
  } catch {
    return [];
  }
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export interface ProgramSearch {
  /** Its path, where somebody has set it: nothing else is looked at then. */
  readonly setting: string | undefined;
  /** Folder of what `npm run llama:build` has built. */
  readonly cache: string;
}

/** The path of one of llama.cpp's programs: as it was set, else what was built here, else on PATH; null when nowhere. */
export function findProgram(name: string, { setting, cache }: ProgramSearch): string | null {
  if (setting !== undefined) return setting;
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const places = [...builtFolders(cache), ...onPath, ...usualFolders].map((folder) => join(folder, fileName(name)));
  return places.find(canRun) ?? null;
}

/** The path of the program that computes for other machines, which is built with a llama-server and lies beside it. */
export function computeProgramBeside(llamaServer: string): string | null {
  const path = join(dirname(llamaServer), fileName("ggml-rpc-server"));
  return canRun(path) ? path : null;
}
