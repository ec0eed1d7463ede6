import { endpoint } from "#lib/server/api/index.ts";

export const DELETE = endpoint("cancelInference", ({ queen, person, params }) => {
  queen.tasks.cancel(person, params.request_id);
});
