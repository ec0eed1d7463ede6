import * as z from "zod";
import type { EndpointTable } from "../endpoint.ts";
import { settingSchema } from "../setting.ts";
import { list } from "./list.ts";

/** Whether the queen is up, and what she is set to. */
export const serviceEndpoints = {
  health: {
    method: "GET",
    path: "/health",
    owner: "public",
    tag: "service",
    summary: "Whether the queen is up.",
    status: 200,
    answer: z.object({
      status: z.literal("alive"),
      version: z.string(),
      ready: z.boolean().describe("False until the first administrator exists."),
    }),
  },
  openapi: {
    method: "GET",
    path: "/openapi.json",
    owner: "public",
    tag: "service",
    summary: "This document.",
    status: 200,
    answer: z.record(z.string(), z.unknown()),
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    owner: "admin",
    tag: "service",
    summary: "Prometheus metrics.",
    status: 200,
    answer: "text",
  },
  listSettings: {
    method: "GET",
    path: "/v1/settings",
    owner: "admin",
    tag: "service",
    summary: "Every setting of the queen, its value and where the value came from; secrets are masked.",
    status: 200,
    answer: list(settingSchema),
  },
} as const satisfies EndpointTable;
