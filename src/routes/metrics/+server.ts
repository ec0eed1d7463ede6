import { endpoint } from "#lib/server/api/index.ts";

export const GET = endpoint("metrics", async ({ queen }) => {
  const { contentType } = queen.metrics;
  return new Response(await queen.metrics.text(), { headers: { "content-type": contentType } });
});
