import type { EndpointTable } from "../endpoint.ts";
import { beehiveAddSchema, beehiveSchema, beehiveUpdateSchema, nearbyMachineSchema } from "../machines.ts";
import { list } from "./list.ts";

/** Machines that the queen reaches, or could. */
export const machinesEndpoints = {
  nearbyMachines: {
    method: "GET",
    path: "/v1/machines/nearby",
    owner: "admin",
    tag: "hives",
    summary:
      "Machines that could join: from the ssh config, hives.conf, the registry, and hives that announce themselves.",
    status: 200,
    answer: list(nearbyMachineSchema),
  },
  listBeehives: {
    method: "GET",
    path: "/v2/registry/beehives/list",
    owner: "admin",
    tag: "hives",
    summary: "The machines that the queen reaches over SSH.",
    status: 200,
    answer: list(beehiveSchema),
  },
  addBeehive: {
    method: "POST",
    path: "/v2/registry/beehives/add",
    owner: "admin",
    tag: "hives",
    summary: "Remembers a machine, after a test of the connection. 409 when its name or address is registered.",
    status: 201,
    body: beehiveAddSchema,
    answer: beehiveSchema,
  },
  updateBeehive: {
    method: "POST",
    path: "/v2/registry/beehives/update",
    owner: "admin",
    tag: "hives",
    summary: "Changes what is known of a machine; a new target is tested first.",
    status: 200,
    body: beehiveUpdateSchema,
    answer: beehiveSchema,
  },
  removeBeehive: {
    method: "DELETE",
    path: "/v2/registry/beehives/{name}",
    owner: "admin",
    tag: "hives",
    summary: "Forgets a machine; what is installed there stays until it is uninstalled.",
    status: 204,
    answer: "none",
  },
} as const satisfies EndpointTable;
