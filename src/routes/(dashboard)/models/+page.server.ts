import { jobRequestSchema, parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { adminOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions } from "./$types";

export const actions: Actions = {
  download: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const hive = textOf(form, "hive");
      const request = parseInput(jobRequestSchema, {
        operation: "model_download",
        model: textOf(form, "model"),
        ...(hive === "" ? {} : { hive }),
      });
      redirect(303, `/jobs/${event.locals.queen.jobs.start(admin, request).job_id}`);
    });
  },
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
