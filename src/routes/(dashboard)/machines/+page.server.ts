import { adminOf, personOf } from "../../access.ts";
import { attempt } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const person = personOf(event);
  event.depends("rbee:nearby");
  return { nearby: person.user.role === "admin" ? event.locals.queen.machines.nearby() : [] };
};

export const actions: Actions = {
  discover: async (event) => {
    const admin = adminOf(event);
    return attempt(() => ({ job: event.locals.queen.jobs.start(admin, { operation: "hive_discover" }).job_id }));
  },
};
