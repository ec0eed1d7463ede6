import { redirect } from "@sveltejs/kit";
import { sessionCookieName } from "#lib/server/accounts/index.ts";
import { personOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => ({
  sessions: event.locals.queen.accounts.sessions.list(personOf(event)),
});

export const actions: Actions = {
  revokeSession: async (event) => {
    const person = personOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.accounts.sessions.revoke(person, textOf(form, "id"));
      return { revoked: true };
    });
  },
  signOut: (event) => {
    const { person, queen } = event.locals;
    if (person !== null) queen.accounts.signOut(person);
    event.cookies.delete(sessionCookieName, { path: "/" });
    redirect(303, "/login?reason=signed-out");
  },
};
