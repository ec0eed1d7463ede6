import { parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { attempt, textOf } from "../../action-errors.ts";
import { credentialsSchema } from "../../credentials.ts";
import { keepSession } from "../../session-cookie.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ params, locals, setHeaders }) => {
  // The address is the secret: it must not travel to another site, nor stay in a cache.
  setHeaders({ "referrer-policy": "no-referrer", "cache-control": "no-store" });
  return {
    invitation: locals.queen.accounts.invitations.peek(params.code),
    household: locals.queen.household.name(),
    signedInAs: locals.person?.user.name ?? null,
    now: Date.now(),
  };
};

export const actions: Actions = {
  default: async ({ request, params, locals, cookies, url }) => {
    const form = await request.formData();
    return attempt(async () => {
      const credentials = parseInput(credentialsSchema, {
        name: textOf(form, "name"),
        password: textOf(form, "password"),
      });
      const signedIn = await locals.queen.accounts.invitations.accept(params.code, credentials, locals.client);
      keepSession(cookies, url, signedIn);
      redirect(303, "/");
    });
  },
};
