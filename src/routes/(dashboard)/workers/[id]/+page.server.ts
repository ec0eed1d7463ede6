import { adminOf } from "../../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  return { workerId: event.params.id };
};
