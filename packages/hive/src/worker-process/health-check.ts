import type { Worker, WorkerCheck } from "@rbee/contract";
import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";

/** How long a worker may take to say how it is. */
const checkLimitMs = 3_000;

/** Asks the process behind `connections` how it is. @param snapshot of its worker, as it is when it is called. */
export async function askHealth(connections: Dispatcher, clock: Clock, snapshot: () => Worker): Promise<WorkerCheck> {
  const worker = snapshot();
  const askedAt = performance.now();
  const limit = new AbortController();
  const cancel = clock.after(checkLimitMs, () => {
    limit.abort();
  });
  try {
    const { statusCode, body } = await connections.request({ method: "GET", path: "/health", signal: limit.signal });
    await body.dump();
    const answered_in_ms = Math.round(performance.now() - askedAt);
    const problem = statusCode === 200 ? null : `Its process answers ${statusCode} when it is asked how it is.`;
    return { worker, answered_in_ms, problem };
  } catch {
    const problem = `Its process (${worker.pid ?? "gone"}) does not answer within ${checkLimitMs / 1_000} s.`;
    return { worker: snapshot(), answered_in_ms: null, problem };
  } finally {
    cancel();
  }
}
