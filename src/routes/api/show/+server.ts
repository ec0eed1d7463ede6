import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("ollamaShow", ({ queen, body }) => queen.dialects.ollamaShow(body.model));
