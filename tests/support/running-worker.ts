import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hiveClient, type Worker } from "@rbee/contract";
import type { Household } from "./household.ts";
import { waitFor } from "./wait-for.ts";

/** The worker that runs at the queen's own hive, asked there: what the queen knows of it is up to a second old. */
export async function runningWorker(household: Household): Promise<Worker> {
  const identity = JSON.parse(readFileSync(join(household.home, "hive", "hive.json"), "utf8")) as {
    hive_token: string;
  };
  return waitFor("a worker that runs", async () => {
    const local = (await household.fleet()).hives.find(({ enrolment }) => enrolment === "local");
    const hive = hiveClient({ baseUrl: `http://${local?.address ?? ""}`, token: identity.hive_token });
    return (await hive.listWorkers()).data.find(({ state }) => state === "ready" || state === "busy");
  });
}
