import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("ollamaVersion", ({ queen }) => ({ version: queen.version }));
