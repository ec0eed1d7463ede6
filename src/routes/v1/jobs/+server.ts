import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("listJobs", ({ queen, query }) => ({ data: queen.jobs.list(query) }));

export const POST = endpoint("startJob", ({ queen, person, body }) => queen.jobs.start(person, body));
