import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("stopWorker", ({ queen, params }) =>
  queen.hives.stopWorker(params.id, params.worker_id),
);
