import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("heartbeat", ({ queen, body, token, client }) => {
  queen.hives.heartbeat(body, token, client.address);
  return { ok: true };
});
