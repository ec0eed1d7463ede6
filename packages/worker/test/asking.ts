import { workerHealthSchema } from "@rbee/contract";
import type { TestWorker } from "./worker-process.ts";

/** A conversation of one question. */
export const user = (content: string) => [{ role: "user" as const, content }];

export const health = async (worker: TestWorker) =>
  workerHealthSchema.parse(JSON.parse((await worker.call("GET", "/health")).body));
