import { householdUpdateSchema, parseInput } from "@rbee/contract";
import { adminOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  return { settings: event.locals.queen.settings.list() };
};

export const actions: Actions = {
  rename: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const { name } = parseInput(householdUpdateSchema, { name: textOf(form, "name") });
      event.locals.queen.household.rename(name);
      return { renamed: name };
    });
  },
};
