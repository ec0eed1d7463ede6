import type { EndpointTable } from "../endpoint.ts";
import { dialectEndpoints } from "./dialects.ts";
import { hivesEndpoints } from "./hives.ts";
import { householdEndpoints } from "./household.ts";
import { hubEndpoints } from "./hub.ts";
import { inferenceEndpoints } from "./inference.ts";
import { jobsEndpoints } from "./jobs.ts";
import { machinesEndpoints } from "./machines.ts";
import { modelsEndpoints } from "./models.ts";
import { reportingEndpoints } from "./reporting.ts";
import { serviceEndpoints } from "./service.ts";
import { textEndpoints } from "./text.ts";
import { workersEndpoints } from "./workers.ts";

/** Every HTTP endpoint of the queen. Routes, clients, the OpenAPI document and the stranger test all come from this table. */
export const queenEndpoints = {
  ...serviceEndpoints,
  ...inferenceEndpoints,
  ...textEndpoints,
  ...dialectEndpoints,
  ...modelsEndpoints,
  ...hivesEndpoints,
  ...reportingEndpoints,
  ...hubEndpoints,
  ...workersEndpoints,
  ...machinesEndpoints,
  ...jobsEndpoints,
  ...householdEndpoints,
} as const satisfies EndpointTable;
