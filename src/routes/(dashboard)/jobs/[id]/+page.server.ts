import { jobRequestSchema, parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { adminOf } from "../../../access.ts";
import { attempt } from "../../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { jobs } = event.locals.queen;
  return { job: jobs.get(event.params.id), events: jobs.events(event.params.id) };
};

export const actions: Actions = {
  cancel: async (event) => {
    const admin = adminOf(event);
    return attempt(() => {
      event.locals.queen.jobs.cancel(admin, event.params.id);
      return { cancelled: true };
    });
  },
  again: async (event) => {
    const admin = adminOf(event);
    const { jobs } = event.locals.queen;
    return attempt(() => {
      const request = parseInput(jobRequestSchema, jobs.get(event.params.id).input);
      redirect(303, `/jobs/${jobs.start(admin, request).job_id}`);
    });
  },
};
