import { endpoint } from "#lib/server/api/index.ts";

export const POST = endpoint("enrollHive", ({ queen, body, client }) => queen.hives.enroll(body, client.address));
