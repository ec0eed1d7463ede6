import { parseInput } from "@rbee/contract";
import { redirect } from "@sveltejs/kit";
import { attempt, textOf } from "../action-errors.ts";
import { credentialsSchema } from "../credentials.ts";
import { keepSession } from "../session-cookie.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ locals }) => {
  const { accounts } = locals.queen;
  if (accounts.isSetUp()) redirect(303, locals.person === null ? "/login" : "/");
  return { needsCode: accounts.needsSetupCode(locals.client) };
};

export const actions: Actions = {
  default: async ({ request, locals, cookies, url }) => {
    const form = await request.formData();
    return attempt(async () => {
      const credentials = parseInput(credentialsSchema, {
        name: textOf(form, "name"),
        password: textOf(form, "password"),
      });
      const setupCode = textOf(form, "setup_code").trim();
      const signedIn = await locals.queen.accounts.setUp(
        { ...credentials, ...(setupCode === "" ? {} : { setupCode }) },
        locals.client,
      );
      keepSession(cookies, url, signedIn);
      redirect(303, "/");
    });
  },
};
