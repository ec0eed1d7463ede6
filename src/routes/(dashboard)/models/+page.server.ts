import { jobRequestSchema, parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { adminOf, personOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import { modelWork } from "../../model-work.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const { user } = personOf(event);
  const { locals } = event;
  if (user.role !== "admin") return { starters: [], work: null };
  return { starters: locals.queen.hub.starters({}), work: modelWork(locals, () => true) };
};

export const actions: Actions = {
  delete: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const request = parseInput(jobRequestSchema, {
        operation: "model_delete",
        model: textOf(form, "model"),
        hive: textOf(form, "hive"),
      });
      redirect(303, `/jobs/${event.locals.queen.jobs.start(admin, request).job_id}`);
    });
  },
  load: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const request = parseInput(jobRequestSchema, { operation: "worker_spawn", model: textOf(form, "model") });
      redirect(303, `/jobs/${event.locals.queen.jobs.start(admin, request).job_id}`);
    });
  },
};
