import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("fleet", ({ queen, person }) => queen.hives.snapshot(person));
