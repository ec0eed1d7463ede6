import * as z from "zod";
import { apiVersion, hiveIdSchema, nameSchema, timestampSchema } from "./identifiers.ts";

export const enrolmentKindSchema = z.enum(["local", "ssh", "join_token", "adopted"]).meta({ id: "EnrolmentKind" });
export type EnrolmentKind = z.infer<typeof enrolmentKindSchema>;

/** 256 random bits, base64url. */
export const hiveTokenSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/u, "must be 256 bits in base64url");

/** `POST /v1/hives/enroll`: a hive presents a join token and the token that both sides will use from now on. */
export const enrollRequestSchema = z
  .strictObject({
    join_token: z.string().max(200),
    hive_id: hiveIdSchema,
    hive_token: hiveTokenSchema,
    name: nameSchema,
    version: z.string().max(64),
    api_version: z.string().max(16).describe(`This queen speaks ${apiVersion}.`),
    port: z.int().min(1).max(65_535).describe("The port the hive listens on; its address is the sender's."),
  })
  .meta({ id: "EnrollRequest" });

export const enrollAnswerSchema = z.object({ hive_id: hiveIdSchema, name: z.string() }).meta({ id: "EnrollAnswer" });

export const joinTokenRequestSchema = z
  .strictObject({
    uses: z.int().min(1).max(100).default(1).describe("How many machines may join with it."),
    expires_in_s: z
      .int()
      .min(60)
      .max(30 * 86_400)
      .default(86_400),
  })
  .meta({ id: "JoinTokenRequest" });

export const joinTokenSchema = z
  .object({ id: z.string(), uses_left: z.int(), expires_at: timestampSchema, created_at: timestampSchema })
  .meta({ id: "JoinToken" });

export const joinTokenCreatedSchema = joinTokenSchema
  .extend({
    token: z.string().describe("Shown once."),
    command: z.string().describe("What to run on the machine that joins."),
  })
  .meta({ id: "JoinTokenCreated" });
