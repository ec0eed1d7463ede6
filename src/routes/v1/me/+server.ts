import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("me", ({ person }) => person.user);
