import { joinTokenRequestSchema, parseInput } from "@rbee/contract";
import { adminOf, personOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const person = personOf(event);
  return { tokens: person.user.role === "admin" ? event.locals.queen.hives.joinTokens.list() : [] };
};

export const actions: Actions = {
  createToken: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    const { queen } = event.locals;
    return attempt(() => {
      const input = parseInput(joinTokenRequestSchema, {
        uses: Number(textOf(form, "uses")),
        expires_in_s: Number(textOf(form, "expires_in_s")),
      });
      return { joinToken: queen.hives.joinTokens.create(input, queen.household.apiUrl(event.url.origin)) };
    });
  },
  revokeToken: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.hives.joinTokens.revoke(textOf(form, "id"));
      return { revoked: true };
    });
  },
  discover: async (event) => {
    const admin = adminOf(event);
    return attempt(() => ({ job: event.locals.queen.jobs.start(admin, { operation: "hive_discover" }).job_id }));
  },
};
