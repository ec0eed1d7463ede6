import { adminOf } from "../../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { jobs } = event.locals.queen;
  return { job: jobs.get(event.params.id), events: jobs.events(event.params.id) };
};
