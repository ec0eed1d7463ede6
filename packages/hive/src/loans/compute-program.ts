import { RbeeError } from "@rbee/contract";
import type { Engines } from "../engines/engines.ts";
import { computeProgramBeside } from "../engines/programs.ts";

/**
 * The program that computes for other machines.
 * @throws {RbeeError} `backend_unavailable` when this machine has none.
 */
export async function computeProgram(engines: Pick<Engines, "toStart" | "facts">): Promise<string> {
  await engines.toStart("llama-server");
  const fact = engines.facts.find(({ engine }) => engine === "llama-server");
  const path = fact?.spreads === true ? computeProgramBeside(fact.where ?? "") : null;
  if (path !== null) return path;
  throw new RbeeError("backend_unavailable", "This hive has a llama-server that cannot share models.", {
    suggestion: "Build one that can on that machine: `npm run llama:build`.",
  });
}
