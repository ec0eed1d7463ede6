import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("ollamaRunning", ({ queen }) => queen.dialects.ollamaRunning());
