import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("workerLogs", async ({ queen, params, query, signal }) => {
  const log = await queen.hives.workers.logs(params.id, query, signal);
  return new Response(log, { headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" } });
});
