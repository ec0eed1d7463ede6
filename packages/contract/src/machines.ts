import * as z from "zod";
import { hiveIdSchema, nameSchema, timestampSchema } from "./identifiers.ts";

/** Where a machine is, as for `ssh`: an alias of the ssh config, a host name or an address, with user and port. */
export const sshDestinationSchema = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(330)
  .describe("As for ssh: an alias of the ssh config, a host name or an address, for example vince@192.168.1.20:22.");

/** What one attempt to sign in over SSH may need of a person. It is used for that attempt and stored nowhere. */
export const sshAccessSchema = z
  .strictObject({
    password: z.string().max(1_024).optional().describe("Used once, never stored."),
    passphrase: z.string().max(1_024).optional().describe("Opens an encrypted private key; used once, never stored."),
    accept_fingerprints: z
      .array(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/u, "must look like SHA256:…"))
      .max(8)
      .optional()
      .describe("Fingerprints of host keys that a person has compared and accepts; they are pinned."),
  })
  .meta({ id: "SshAccess" });
export type SshAccess = z.output<typeof sshAccessSchema>;

/** How the agent gets onto a machine. The same form stands in `hives.conf`. */
export const installMethodSchema = z
  .union([
    z.strictObject({ bundle: z.strictObject({}) }).describe("The queen sends all that is needed, Node included."),
    z
      .strictObject({
        git: z.strictObject({
          repo: z.string().trim().min(1).max(1_000).describe("URL or path that `git clone` on that machine takes."),
          branch: z
            .string()
            .regex(/^(?!-)[A-Za-z0-9._/-]{1,200}$/u, "must be the name of a branch or tag")
            .default("main"),
        }),
      })
      .describe("That machine clones and builds; it needs git, Node 20 or newer, and npm."),
    z
      .strictObject({
        binary: z.strictObject({
          path: z.string().trim().min(1).max(4_096).describe("An archive (.tar.gz) on the queen's machine."),
        }),
      })
      .describe("The queen sends an archive that was made before, for example by scripts/bundle.js."),
  ])
  .meta({ id: "InstallMethod" });
export type InstallMethod = z.output<typeof installMethodSchema>;

const portSchema = z.int().min(1).max(65_535);

/** A machine of the household that the queen reaches over SSH. */
export const beehiveSchema = z
  .object({
    name: z.string(),
    target: sshDestinationSchema,
    hive_port: portSchema,
    auto_start: z.boolean().describe("Whether the hive starts with the machine, and with a sync."),
    install_method: installMethodSchema,
    hive_id: hiveIdSchema.nullable().describe("The hive there; null until one is installed or adopted."),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: "Beehive" });
export type Beehive = z.infer<typeof beehiveSchema>;

const beehiveFields = {
  target: sshDestinationSchema,
  hive_port: portSchema,
  auto_start: z.boolean(),
  install_method: installMethodSchema,
};

export const beehiveAddSchema = z
  .strictObject({
    name: nameSchema.optional().describe("The target's own name when left out."),
    target: beehiveFields.target,
    hive_port: beehiveFields.hive_port.default(7835),
    auto_start: beehiveFields.auto_start.default(true),
    install_method: beehiveFields.install_method.default({ bundle: {} }),
    ssh: sshAccessSchema.optional(),
  })
  .meta({ id: "BeehiveAdd" });

export const beehiveUpdateSchema = z
  .strictObject({
    name: nameSchema.describe("Which one."),
    new_name: nameSchema.optional(),
    target: beehiveFields.target.optional(),
    hive_port: beehiveFields.hive_port.optional(),
    auto_start: beehiveFields.auto_start.optional(),
    install_method: beehiveFields.install_method.optional(),
    ssh: sshAccessSchema.optional().describe("For the test of the connection when the target changes."),
  })
  .meta({ id: "BeehiveUpdate" });

/** What a look at a machine over SSH found. What could not be found out is null. */
export const machineFactsSchema = z
  .object({
    name: z.string(),
    user: z.string(),
    address: z.string().describe("host:port of its SSH server."),
    os: z.string().describe("`linux`, `darwin`, or what `uname -s` says in lower case."),
    os_name: z.string().nullable().describe("For example `Debian GNU/Linux 12`."),
    arch: z.string().describe("`x64`, `arm64`, or what `uname -m` says."),
    libc: z.enum(["glibc", "musl"]).nullable(),
    cpu_threads: z.int().nullable(),
    ram_total_mb: z.number().nullable(),
    disk_free_mb: z.number().nullable().describe("Where the agent would be put."),
    gpus: z.array(z.object({ vendor: z.string(), name: z.string(), driver: z.string().nullable() })),
    service_manager: z.enum(["systemd", "launchd", "none"]),
    existing: z
      .object({
        version: z.string().nullable(),
        build: z.string().nullable(),
        running: z.boolean(),
        hive_id: hiveIdSchema.nullable(),
        queen_url: z.string().nullable(),
      })
      .nullable()
      .describe("The agent that is installed there already."),
  })
  .meta({ id: "MachineFacts" });
export type MachineFacts = z.infer<typeof machineFactsSchema>;

const findingSchema = z.object({
  code: z.string().describe("A code of the error catalogue, or what kind of finding it is."),
  message: z.string(),
  suggestion: z.string().nullable(),
});

/** Everything that stands in the way of an installation, named at once. Result data of a `hive_check`. */
export const preflightReportSchema = z
  .object({
    machine: machineFactsSchema,
    problems: z.array(findingSchema).describe("Each of them must be mended first."),
    warnings: z.array(findingSchema),
  })
  .meta({ id: "PreflightReport" });
export type PreflightReport = z.infer<typeof preflightReportSchema>;

/** A machine that the queen knows of without having a hive there. */
export const nearbyMachineSchema = z
  .object({
    name: z.string(),
    target: sshDestinationSchema
      .nullable()
      .describe("How to reach it over SSH; null when only its hive announced itself."),
    address: z.string().nullable().describe("Host or address, as far as it is known."),
    hive_port: portSchema.nullable(),
    sources: z.array(z.enum(["ssh_config", "hives_conf", "registry", "mdns"])).min(1),
    state: z
      .enum(["enrolled", "not_adopted", "no_hive", "unreachable", "unknown"])
      .describe("`not_adopted`: a hive runs there that does not belong to this household."),
    hive_id: hiveIdSchema.nullable(),
    version: z.string().nullable(),
    checked_at: timestampSchema.nullable(),
    problem: z.string().nullable().describe("Why it could not be reached, in words."),
  })
  .meta({ id: "NearbyMachine" });
export type NearbyMachine = z.infer<typeof nearbyMachineSchema>;

/** What a sync does, or would do, to one machine of `hives.conf`. */
export const syncPlanEntrySchema = z
  .object({
    alias: z.string(),
    target: z.string(),
    action: z.enum(["none", "install", "upgrade", "start", "unreachable"]),
    reason: z.string(),
  })
  .meta({ id: "SyncPlanEntry" });
export type SyncPlanEntry = z.infer<typeof syncPlanEntrySchema>;

/** What a sync did to one machine. */
export const syncOutcomeSchema = z
  .object({
    alias: z.string(),
    outcome: z.enum(["already_installed", "installed", "upgraded", "started", "failed"]),
    error: z.object({ code: z.string(), message: z.string(), suggestion: z.string().nullable() }).nullable(),
  })
  .meta({ id: "SyncOutcome" });
export type SyncOutcome = z.infer<typeof syncOutcomeSchema>;
