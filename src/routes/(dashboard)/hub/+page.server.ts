import { hubSearchQuerySchema } from "@rbee/contract";
import { error } from "@sveltejs/kit";
import { adminOf } from "../../access.ts";
import { asked } from "../../asked.ts";
import { modelWork } from "../../model-work.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { locals, url } = event;
  const given = [...url.searchParams].filter(([name, value]) => value !== "" && ["q", "context"].includes(name));
  const query = hubSearchQuerySchema.safeParse({ limit: 30, ...Object.fromEntries(given) }).data;
  if (query === undefined) error(400, "This address asks for something that cannot be searched.");
  const { q, context } = query;
  return {
    q,
    context: context ?? null,
    starters: q === "" ? locals.queen.hub.starters({ context }) : [],
    // Comes after the page, so that a slow hub holds up its own part alone.
    found: q === "" ? null : asked(event.request.signal, (signal) => locals.queen.hub.search(query, signal)),
    work: modelWork(locals, ({ operation }) => operation === "model_download"),
  };
};
