import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { queenEndpoints } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { program } from "#lib/server/program/index.ts";

const routes = join(program.root, "src/routes");
const files = globSync("**/+server.ts", { cwd: routes });

/** `v1/keys/[id]/+server.ts` with `export const GET = endpoint("x"` gives `GET /v1/keys/{id} x`. */
function endpointsOf(file: string): string[] {
  const path = `/${file.replace(/\/\+server\.ts$/u, "").replaceAll(/\[(\w+)\]/gu, "{$1}")}`;
  const source = readFileSync(join(routes, file), "utf8");
  return [...source.matchAll(/export const (\w+) = (?:endpoint\(\s*"(\w+)")?/gu)].map(
    ([, method, name]) => `${method} ${path} ${name ?? "(not in the contract)"}`,
  );
}

describe("the API's routes", () => {
  it("are exactly the contract's endpoints, each under its own name", () => {
    const onDisk = files.filter((file) => !file.includes("[...")).flatMap(endpointsOf);
    const inContract = Object.entries(queenEndpoints).map(([name, { method, path }]) => `${method} ${path} ${name}`);
    expect(onDisk.toSorted()).toEqual(inContract.toSorted());
  });

  it("answer JSON where nothing lives", () => {
    const catchAll = files.filter((file) => file.includes("[...path]")).map((file) => file.split("/")[0]);
    expect(catchAll.toSorted()).toEqual([
      "api",
      "detokenize",
      "health",
      "metrics",
      "openapi.json",
      "tokenize",
      "v1",
      "v2",
    ]);
  });
});
