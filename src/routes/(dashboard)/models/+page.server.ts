import { jobRequestSchema, parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { adminOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions } from "./$types";

export const actions: Actions = {
  load: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const request = parseInput(jobRequestSchema, { operation: "worker_spawn", model: textOf(form, "model") });
      redirect(303, `/jobs/${event.locals.queen.jobs.start(admin, request).job_id}`);
    });
  },
};
