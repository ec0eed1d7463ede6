import * as z from "zod";

/** One setting as `rbee config` prints it. */
export const settingSchema = z
  .object({
    name: z.string().describe("The environment variable."),
    value: z.string().nullable().describe("null when unset; masked when it is a secret."),
    source: z.enum(["flag", "environment", "file", "default"]),
    description: z.string(),
  })
  .meta({ id: "Setting" });
export type Setting = z.infer<typeof settingSchema>;
