import { access, constants } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RbeeError } from "@rbee/contract";
import type { Engines } from "../engines/engines.ts";

const programName = process.platform === "win32" ? "ggml-rpc-server.exe" : "ggml-rpc-server";

/**
 * The program that computes for other machines: it comes with llama-server and lies beside it.
 * @throws {RbeeError} `backend_unavailable` when this machine has none.
 */
export async function computeProgram(engines: Pick<Engines, "toStart" | "facts">): Promise<string> {
  await engines.toStart("llama-server");
  const where = engines.facts.find(({ engine }) => engine === "llama-server")?.where ?? "";
  const path = join(dirname(where), programName);
  try {
    await access(path, constants.X_OK);
    return path;
  } catch (cause) {
    throw new RbeeError("backend_unavailable", `This hive has llama-server, but no ${programName} beside it.`, {
      suggestion: "Build both on that machine with `npm run llama:build`.",
      cause,
    });
  }
}
