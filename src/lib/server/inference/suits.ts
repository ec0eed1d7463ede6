import type { Where, WorkerView } from "./views.ts";

/** Whether a worker is where, and as large as, a request insists on. What is not known of it is not held against it. */
export const suits = (
  { hiveId, backend, device, contextLength }: Pick<WorkerView, "hiveId" | "backend" | "device" | "contextLength">,
  where: Where,
): boolean =>
  (where.hives?.has(hiveId) ?? true) &&
  (where.backend === undefined || where.backend === backend) &&
  (where.device === undefined || where.device === device) &&
  (where.contextLength === undefined || (contextLength ?? where.contextLength) >= where.contextLength);
