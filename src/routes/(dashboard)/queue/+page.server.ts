import { personOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => ({ queue: event.locals.queen.inference.queue(personOf(event)) });
