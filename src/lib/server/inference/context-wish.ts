import { leastContext, type WorkerSpawn } from "@rbee/contract";
import type { Where } from "./views.ts";

/**
 * What a worker must be started with, beside what the household decided, so that a request has the context that it
 * insists on. Nothing, when workers of the model have that much anyway.
 */
export function contextWish({ context_length }: Partial<WorkerSpawn>, { contextLength }: Where): Partial<WorkerSpawn> {
  const usual = context_length ?? leastContext(null);
  return contextLength === undefined || contextLength <= usual ? {} : { context_length: contextLength };
}
