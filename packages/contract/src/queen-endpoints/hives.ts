import * as z from "zod";
import type { EndpointTable } from "../endpoint.ts";
import { joinTokenCreatedSchema, joinTokenRequestSchema, joinTokenSchema } from "../enrolment.ts";
import { fleetHiveSchema, fleetSnapshotSchema } from "../fleet.ts";
import { list } from "./list.ts";

/** The hives of the household and their workers. */
export const hivesEndpoints = {
  fleet: {
    method: "GET",
    path: "/v1/fleet",
    owner: "person",
    tag: "hives",
    summary: "Every hive, worker and model as the queen sees them now.",
    status: 200,
    answer: fleetSnapshotSchema,
  },
  fleetStream: {
    method: "GET",
    path: "/v1/fleet/stream",
    owner: "person",
    tag: "hives",
    summary:
      "Server-sent events: `history` once, then `fleet` every second and `transition` when a hive's health changes.",
    status: 200,
    answer: "event-stream",
  },
  getHive: {
    method: "GET",
    path: "/v1/hives/{id}",
    owner: "person",
    tag: "hives",
    summary: "One hive.",
    status: 200,
    answer: fleetHiveSchema,
  },
  hiveLogs: {
    method: "GET",
    path: "/v1/hives/{id}/logs",
    owner: "admin",
    tag: "hives",
    summary: "The last lines a hive logged, read over SSH when it does not run; with `follow`, also those to come.",
    status: 200,
    query: z.strictObject({
      lines: z.coerce.number().int().min(1).max(5_000).default(200),
      follow: z.stringbool().default(false),
    }),
    answer: "text",
  },
  removeHive: {
    method: "DELETE",
    path: "/v1/hives/{id}",
    owner: "admin",
    tag: "hives",
    summary: "Forgets a hive; its agent keeps running until it is stopped on its machine.",
    status: 204,
    answer: "none",
  },
  discoverHives: {
    method: "POST",
    path: "/v1/hives/discover",
    owner: "admin",
    tag: "hives",
    summary: "Asks every enrolled hive for its capabilities again.",
    status: 200,
    answer: list(
      z.object({ hive_id: z.string(), name: z.string(), reachable: z.boolean(), error: z.string().nullable() }),
    ),
  },
  stopWorker: {
    method: "DELETE",
    path: "/v1/hives/{id}/workers/{worker_id}",
    owner: "admin",
    tag: "hives",
    summary: "Drains and stops one worker.",
    status: 204,
    answer: "none",
  },
  listJoinTokens: {
    method: "GET",
    path: "/v1/join-tokens",
    owner: "admin",
    tag: "hives",
    summary: "Join tokens that can still be used.",
    status: 200,
    answer: list(joinTokenSchema),
  },
  createJoinToken: {
    method: "POST",
    path: "/v1/join-tokens",
    owner: "admin",
    tag: "hives",
    summary: "Makes a join token.",
    status: 201,
    body: joinTokenRequestSchema,
    answer: joinTokenCreatedSchema,
  },
  revokeJoinToken: {
    method: "DELETE",
    path: "/v1/join-tokens/{id}",
    owner: "admin",
    tag: "hives",
    summary: "Revokes a join token.",
    status: 204,
    answer: "none",
  },
} as const satisfies EndpointTable;
