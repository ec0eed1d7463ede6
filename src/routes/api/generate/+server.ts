import { appCalls, endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("ollamaGenerate", appCalls.ollamaGenerate);
