import { redirect } from "@sveltejs/kit";
import { attempt, textOf } from "../action-errors.ts";
import { nextPage } from "../next-page.ts";
import { keepSession } from "../session-cookie.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ locals, url }) => {
  const next = nextPage(url.searchParams.get("next"));
  if (!locals.queen.accounts.isSetUp()) redirect(303, "/setup");
  if (locals.person !== null) redirect(303, next);
  return { next, reason: url.searchParams.get("reason"), household: locals.queen.household.name() };
};

export const actions: Actions = {
  default: async ({ request, locals, cookies, url }) => {
    const form = await request.formData();
    return attempt(async () => {
      const signedIn = await locals.queen.accounts.signIn(
        { name: textOf(form, "name").trim(), password: textOf(form, "password") },
        locals.client,
      );
      keepSession(cookies, url, signedIn);
      redirect(303, nextPage(textOf(form, "next")));
    });
  },
};
