import { nothingHere } from "#lib/server/api/index.ts";

export const fallback = nothingHere;
