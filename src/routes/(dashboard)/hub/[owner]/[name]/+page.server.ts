import { hubRepositoryQuerySchema } from "@rbee/contract";
import { error } from "@sveltejs/kit";
import { words } from "#lib/words/index.ts";
import { adminOf } from "../../../../access.ts";
import { asked } from "../../../../asked.ts";
import { modelWork } from "../../../../model-work.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { locals, params, url } = event;
  const repository = `${params.owner}/${params.name}`;
  const context = url.searchParams.get("context") ?? "";
  const query = hubRepositoryQuerySchema.safeParse(context === "" ? {} : { context }).data;
  if (query === undefined) error(404, words.frame.error.notFound);
  return {
    repository,
    context: query.context ?? null,
    page: `${locals.queen.hub.url}/${repository}`,
    found: asked(event.request.signal, (signal) => locals.queen.hub.repository({ repository, ...query }, signal)),
    work: modelWork(locals, ({ input }) => String(input["model"]).startsWith(`hf:${repository}`)),
  };
};
