import type { EndpointTable } from "../endpoint.ts";
import {
  fitQuerySchema,
  hubModelSchema,
  hubRepositoryQuerySchema,
  hubRepositorySchema,
  hubSearchQuerySchema,
  hubStarterSchema,
} from "../hub.ts";
import { list } from "./list.ts";

/**
 * Models that the household could have. An administrator's alone: only they can download, and what the hub shows to
 * the queen's token may be private.
 */
export const hubEndpoints = {
  searchHub: {
    method: "GET",
    path: "/v1/hub/models",
    owner: "admin",
    tag: "hub",
    summary:
      "Repositories with GGUF files on the hub, the most downloaded first, with about how they fit on each hive.",
    status: 200,
    query: hubSearchQuerySchema,
    answer: list(hubModelSchema),
  },
  hubRepository: {
    method: "GET",
    path: "/v1/hub/models/{owner}/{name}",
    owner: "admin",
    tag: "hub",
    summary: "The models in one repository of the hub, with how each fits on each hive.",
    status: 200,
    query: hubRepositoryQuerySchema,
    answer: hubRepositorySchema,
  },
  hubStarters: {
    method: "GET",
    path: "/v1/hub/starters",
    owner: "admin",
    tag: "hub",
    summary: "Well-known models to begin with, by size, with how each fits on each hive. The hub is not asked.",
    status: 200,
    query: fitQuerySchema,
    answer: list(hubStarterSchema),
  },
} as const satisfies EndpointTable;
