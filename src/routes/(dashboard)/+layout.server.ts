import { personOf } from "../access.ts";
import type { LayoutServerLoad } from "./$types";

export const load: LayoutServerLoad = (event) => {
  const person = personOf(event);
  const { queen } = event.locals;
  return {
    user: person.user,
    household: queen.household.name(),
    version: queen.version,
    now: Date.now(),
    fleet: queen.hives.snapshot(person),
    history: queen.hives.history(),
  };
};
