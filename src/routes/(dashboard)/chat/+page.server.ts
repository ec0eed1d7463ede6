import { personOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  personOf(event);
  return { askedModel: event.url.searchParams.get("model") };
};
