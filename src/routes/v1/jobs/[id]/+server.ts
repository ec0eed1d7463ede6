import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("getJob", ({ queen, params }) => queen.jobs.get(params.id));

export const DELETE = endpoint("cancelJob", ({ queen, person, params }) => {
  queen.jobs.cancel(person, params.id);
});
