import { adminOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  return { settings: event.locals.queen.settings.list() };
};
