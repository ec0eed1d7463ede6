import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("workerHealth", ({ queen, params }) => queen.hives.workers.check(params.id));
