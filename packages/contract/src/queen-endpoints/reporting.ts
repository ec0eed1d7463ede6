import type { EndpointTable } from "../endpoint.ts";
import { enrollAnswerSchema, enrollRequestSchema } from "../enrolment.ts";
import { heartbeatAnswerSchema, heartbeatSchema } from "../heartbeat.ts";

/** What hives ask of the queen. They know no more of her than this. */
export const reportingEndpoints = {
  enrollHive: {
    method: "POST",
    path: "/v1/hives/enroll",
    owner: "join_token",
    tag: "hives",
    summary: "A machine joins the household with a join token.",
    status: 201,
    body: enrollRequestSchema,
    answer: enrollAnswerSchema,
  },
  heartbeat: {
    method: "POST",
    path: "/v1/hive-heartbeat",
    owner: "hive",
    tag: "hives",
    summary: "A hive's state, once a second.",
    status: 200,
    body: heartbeatSchema,
    answer: heartbeatAnswerSchema,
  },
} as const satisfies EndpointTable;
