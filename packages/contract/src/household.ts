import * as z from "zod";
import { nameSchema, timestampSchema } from "./identifiers.ts";
import { laneSchema } from "./inference/queue.ts";

export const roleSchema = z.enum(["admin", "member"]).meta({ id: "Role" });
export type Role = z.infer<typeof roleSchema>;

/** Sign-in names: shown as typed, compared without case. */
export const userNameSchema = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(32, "must have at most 32 characters")
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u, "must be letters, digits, spaces and . _ - only");
export const passwordSchema = z
  .string()
  .min(8, "must have at least 8 characters")
  .max(256, "must have at most 256 characters");

export const householdSchema = z
  .object({ name: nameSchema.describe("What the household calls itself.") })
  .meta({ id: "Household" });
export const householdUpdateSchema = z.strictObject({ name: nameSchema }).meta({ id: "HouseholdUpdate" });

export const userSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: roleSchema,
    created_at: timestampSchema,
    last_seen_at: timestampSchema.nullable(),
  })
  .meta({ id: "User" });
export type User = z.infer<typeof userSchema>;

export const userUpdateSchema = z.strictObject({ role: roleSchema }).meta({ id: "UserUpdate" });

export const invitationRequestSchema = z
  .strictObject({
    role: roleSchema.default("member"),
    expires_in_s: z
      .int()
      .min(300)
      .max(30 * 86_400)
      .default(7 * 86_400),
  })
  .meta({ id: "InvitationRequest" });
export const invitationSchema = z
  .object({
    id: z.string(),
    role: roleSchema,
    created_at: timestampSchema,
    expires_at: timestampSchema,
    used_at: timestampSchema.nullable(),
    used_by: z.string().nullable(),
  })
  .meta({ id: "Invitation" });
export type Invitation = z.infer<typeof invitationSchema>;
export const invitationCreatedSchema = invitationSchema
  .extend({ path: z.string().describe("`/invite/<code>`, shown once; put the queen's address before it.") })
  .meta({ id: "InvitationCreated" });

export const keyRequestSchema = z
  .strictObject({
    name: nameSchema,
    expires_in_s: z
      .int()
      .min(60)
      .max(10 * 365 * 86_400)
      .optional()
      .describe("It never expires when left out."),
    lane: laneSchema
      .optional()
      .describe("Where its requests wait unless they say otherwise with `X-Rbee-Lane`; `interactive` when left out."),
  })
  .meta({ id: "KeyRequest" });
export const apiKeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string().describe("The first characters, to tell keys apart."),
    owner: z.string().describe("Name of the person it belongs to."),
    created_at: timestampSchema,
    expires_at: timestampSchema.nullable(),
    last_used_at: timestampSchema.nullable(),
    lane: laneSchema.nullable().default(null).describe("Where its requests wait unless they say otherwise."),
  })
  .meta({ id: "ApiKey" });
export type ApiKey = z.infer<typeof apiKeySchema>;
export const keyCreatedSchema = apiKeySchema
  .extend({ key: z.string().describe("`rbee_…`, shown once.") })
  .meta({ id: "ApiKeyCreated" });

export const sessionSchema = z
  .object({
    id: z.string().describe("Public handle of the session, not its secret."),
    current: z.boolean(),
    user_agent: z.string().nullable(),
    address: z.string().nullable(),
    created_at: timestampSchema,
    last_seen_at: timestampSchema,
    expires_at: timestampSchema,
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof sessionSchema>;

const uncounted = "null when a server that is not rbee's answered and did not count.";

export const usageRowSchema = z
  .object({
    request_id: z.string(),
    user: z.string(),
    key_name: z.string().nullable().describe("null when it came from the dashboard."),
    model: z.string(),
    hive_id: z.string().nullable(),
    started_at: timestampSchema,
    duration_ms: z.number(),
    time_to_first_token_ms: z.number().nullable(),
    prompt_tokens: z.int().nullable().describe(uncounted),
    cached_tokens: z.int().nullable().describe(uncounted),
    completion_tokens: z.int().nullable().describe(uncounted),
    status: z.int().describe("HTTP status; 499 when the client left."),
    error_code: z.string().nullable(),
  })
  .meta({ id: "UsageRow" });
export type UsageRow = z.infer<typeof usageRowSchema>;

export const usageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  since: z.coerce.number().int().min(0).optional().describe("Unix milliseconds."),
});
