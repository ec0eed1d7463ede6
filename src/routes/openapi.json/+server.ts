import { endpoint } from "#lib/server/api/index.ts";
import { openApiDocument, queenEndpoints } from "@rbee/contract";

let document: Record<string, unknown> | undefined;

export const GET = endpoint("openapi", ({ queen }) => {
  document ??= openApiDocument(queenEndpoints, {
    title: "rbee",
    version: queen.version,
    description: "One private AI service out of the computers of one household. Inference speaks OpenAI's protocol.",
  });
  return document;
});
