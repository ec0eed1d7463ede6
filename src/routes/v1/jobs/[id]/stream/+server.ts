import { eventStreamHeaders, lastEventId } from "@rbee/jobs";
import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("streamJob", ({ queen, params, headers, signal }) => {
  const stream = queen.jobs.stream(params.id, { afterSeq: lastEventId({ headers }), signal });
  return new Response(stream, { headers: eventStreamHeaders });
});
