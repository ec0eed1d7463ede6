import type { EndpointTable } from "../endpoint.ts";
import { modelSettingsSchema, modelSettingsUpdateSchema } from "../model-settings.ts";
import { placementExplanationSchema, placementQuerySchema } from "../placement.ts";

/** What the household decides about its models, and where they run. */
export const modelsEndpoints = {
  modelSettings: {
    method: "GET",
    path: "/v1/models/{id}/settings",
    owner: "admin",
    tag: "models",
    summary: "What the household decided about a model: context, slots, pin, other names, …",
    status: 200,
    answer: modelSettingsSchema,
  },
  updateModelSettings: {
    method: "PATCH",
    path: "/v1/models/{id}/settings",
    owner: "admin",
    tag: "models",
    summary: "Changes that. Workers that run keep what they were started with.",
    status: 200,
    body: modelSettingsUpdateSchema,
    answer: modelSettingsSchema,
  },
  explainModel: {
    method: "GET",
    path: "/v1/models/{id}/placement",
    owner: "person",
    tag: "models",
    summary: "Where a request for a model would go now, and why there and not elsewhere.",
    status: 200,
    query: placementQuerySchema,
    answer: placementExplanationSchema,
  },
} as const satisfies EndpointTable;
