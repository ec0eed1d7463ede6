import { keyRequestSchema, parseInput } from "@rbee/contract";
import { personOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  const person = personOf(event);
  const { queen } = event.locals;
  return {
    keys: queen.accounts.keys.list(person),
    apiUrl: queen.household.apiUrl(event.url.origin),
  };
};

export const actions: Actions = {
  create: async (event) => {
    const person = personOf(event);
    const form = await event.request.formData();
    const expiry = textOf(form, "expires_in_s");
    const lane = textOf(form, "lane");
    return attempt(() => {
      const input = parseInput(keyRequestSchema, {
        name: textOf(form, "name"),
        ...(expiry === "" ? {} : { expires_in_s: Number(expiry) }),
        ...(lane === "" ? {} : { lane }),
      });
      return { createdKey: event.locals.queen.accounts.keys.create(person, input) };
    });
  },
  revoke: async (event) => {
    const person = personOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.accounts.keys.revoke(person, textOf(form, "id"));
      return { revoked: true };
    });
  },
};
