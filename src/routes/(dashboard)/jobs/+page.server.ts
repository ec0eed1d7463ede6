import { redirect } from "@sveltejs/kit";
import { adminOf } from "../../access.ts";
import { attempt } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

const limit = 100;

export const load: PageServerLoad = (event) => {
  adminOf(event);
  event.depends("rbee:jobs");
  return { jobs: event.locals.queen.jobs.list({ limit }) };
};

export const actions: Actions = {
  selfCheck: async (event) => {
    const admin = adminOf(event);
    return attempt(() =>
      redirect(303, `/jobs/${event.locals.queen.jobs.start(admin, { operation: "self_check" }).job_id}`),
    );
  },
};
