import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("queue", ({ queen, person }) => queen.inference.queue(person));
