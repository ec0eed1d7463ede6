import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("chat", ({ queen, person, body, requestId, signal }) =>
  queen.inference.chat(person, body, { requestId, signal }),
);
