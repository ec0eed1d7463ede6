import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("fleetStream", ({ queen, person, signal }) => {
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
  return new Response(queen.hives.stream(person, signal), { headers });
});
