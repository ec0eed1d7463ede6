import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("discoverHives", async ({ queen }) => ({ data: await queen.hives.discover() }));
