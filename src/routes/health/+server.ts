import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("health", ({ queen }) => ({
  status: "alive",
  version: queen.version,
  ready: queen.accounts.isSetUp(),
}));
