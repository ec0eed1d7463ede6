import { redirect } from "@sveltejs/kit";
import { adminOf, personOf } from "../../../access.ts";
import { attempt, textOf } from "../../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  personOf(event);
  return { hiveId: event.params.id };
};

export const actions: Actions = {
  stopWorker: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    return attempt(async () => {
      await event.locals.queen.hives.stopWorker(event.params.id, textOf(form, "worker_id"));
      return { stopped: true };
    });
  },
  remove: async (event) => {
    const admin = adminOf(event);
    return attempt(() => {
      event.locals.queen.hives.remove(admin, event.params.id);
      redirect(303, "/machines");
    });
  },
};
