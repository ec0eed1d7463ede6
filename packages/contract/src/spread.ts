import * as z from "zod";
import { backendSchema, hiveIdSchema, modelIdSchema, timestampSchema } from "./identifiers.ts";

export const loanIdSchema = z
  .string()
  .regex(/^loan:[0-9a-z]{1,64}$/u, "must look like loan:<id>")
  .describe("Id of what a hive lends to a worker of another hive.");

const share = z.number().min(0).max(1);
const megabytes = z.number().min(0);

/** What the queen asks a hive to lend to a worker of another hive. What is left out, the hive chooses. */
export const loanRequestSchema = z
  .strictObject({
    model: modelIdSchema.describe("The model that a part of is computed here; its files need not be here."),
    borrower: z.string().min(1).max(330).describe("Name of the machine whose worker it is for."),
    device: z.string().max(64).describe("Device id from /capabilities, for example `cuda:0`."),
    device_mb: megabytes.describe("Memory of the device's own that it may take; 0 where it has none."),
    ram_mb: megabytes.describe("Main memory that it may take."),
  })
  .meta({ id: "LoanRequest" });
export type LoanRequest = z.infer<typeof loanRequestSchema>;

/** A device that a hive lends to a worker of another hive, by a process that computes what that one sends. */
export const loanSchema = z
  .object({
    loan_id: loanIdSchema,
    model: modelIdSchema,
    borrower: z.string(),
    backend: backendSchema,
    device: z.string(),
    pid: z.int().nullable(),
    device_mb: megabytes,
    ram_mb: megabytes,
    loaded: z.boolean().describe("Whether the borrower says that its part of the model is here."),
    started_at: timestampSchema,
  })
  .meta({ id: "Loan" });
export type Loan = z.infer<typeof loanSchema>;

/** A loan that has just begun, with what its borrower needs to reach it. */
export const loanGrantSchema = loanSchema
  .extend({ token: z.string().describe("Bearer for this loan alone; told once.") })
  .meta({ id: "LoanGrant" });
export type LoanGrant = z.infer<typeof loanGrantSchema>;

/** A loan as a heartbeat tells of it. */
export const loanTelemetrySchema = loanSchema
  .extend({ rss_mb: megabytes.nullable().describe("null when it cannot be measured.") })
  .meta({ id: "LoanTelemetry" });
export type LoanTelemetry = z.infer<typeof loanTelemetrySchema>;

/** A machine that computes a part of a worker's model: what its hive needs to reach that. */
export const helperSchema = z.strictObject({
  hive_id: hiveIdSchema,
  name: z.string().min(1).max(330),
  url: z.url({ protocol: /^https?$/u, error: "must be an http or https URL" }).describe("Its hive, from there."),
  loan_id: loanIdSchema,
  token: z.string().min(1).max(200).describe("The loan's own."),
  device: z.string().max(64),
  share: share.describe("Of the model's layers."),
});
export type Helper = z.infer<typeof helperSchema>;

/** One machine's part of a worker whose model is spread over several. */
export const spreadPartSchema = z
  .object({
    hive_id: hiveIdSchema,
    name: z.string(),
    device: z.string(),
    share: share.describe("Of the model's layers that this machine computes."),
  })
  .meta({ id: "SpreadPart" });
export type SpreadPart = z.infer<typeof spreadPartSchema>;

export const spreadSchema = z
  .array(spreadPartSchema)
  .optional()
  .describe("The machines that share its model, its own first; left out when it runs on one alone.");

/** `attic 60 % + cellar 40 %`. */
export const spreadText = (spread: readonly Pick<SpreadPart, "name" | "share">[]): string =>
  spread.map(({ name, share: part }) => `${name} ${Math.round(part * 100)} %`).join(" + ");
