import { error } from "@sveltejs/kit";
import { words } from "#lib/words/index.ts";
import { endpointsOf, type ApiDocument } from "#lib/components/docs/document.ts";
import { personOf } from "../../access.ts";
import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = async (event) => {
  personOf(event);
  const response = await event.fetch("/openapi.json");
  if (!response.ok) error(502, words.docs.failed, { suggestion: words.frame.error.suggestion });
  const document = (await response.json()) as ApiDocument;
  return { endpoints: endpointsOf(document), errors: document["x-error-codes"] ?? {}, title: document.info.title };
};
