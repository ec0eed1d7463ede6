import { personOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

const limit = 200;

export const load: PageServerLoad = (event) => {
  const person = personOf(event);
  return { rows: event.locals.queen.usage.list(person, { limit }), limit };
};
