import { redirect } from "@sveltejs/kit";
import { adminOf, personOf } from "../../../access.ts";
import { attempt, textOf } from "../../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const { user } = personOf(event);
  const hiveId = event.params.id;
  return { hiveId, work: user.role === "admin" ? workOn(event.locals, hiveId) : null };
};

/** What is being done with this machine now, so that a reload finds it again; a model may come to it meanwhile. */
function workOn({ queen }: App.Locals, hiveId: string) {
  const job = queen.jobs
    .list({ limit: 100 })
    .find(
      ({ operation, state, input }) => operation.startsWith("hive_") && state === "running" && input["hive"] === hiveId,
    );
  return job === undefined ? null : { job, events: queen.jobs.events(job.job_id) };
}

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
