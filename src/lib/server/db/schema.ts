import type {
  Capabilities,
  EnrolmentKind,
  HiveModel,
  InstallMethod,
  Job,
  JobEvent,
  KvType,
  WorkerEngine,
  Lane,
  Role,
} from "@rbee/contract";
import { index, integer, primaryKey, real, blob, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** All times are Unix milliseconds. Secrets are stored as SHA-256, or sealed where the queen needs them back. */

export const users = sqliteTable("users", {
  id: text().primaryKey(),
  name: text().notNull(),
  /** The name as it is compared: without case, in Unicode's composed form. */
  nameKey: text("name_key").notNull().unique(),
  passwordHash: text("password_hash").notNull(),
  role: text().$type<Role>().notNull(),
  createdAt: integer("created_at").notNull(),
  lastSeenAt: integer("last_seen_at"),
});

const owner = () =>
  text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

export const sessions = sqliteTable(
  "sessions",
  {
    idHash: text("id_hash").primaryKey(),
    /** What people see and revoke it by. */
    handle: text().notNull().unique(),
    userId: owner(),
    userAgent: text("user_agent"),
    address: text(),
    createdAt: integer("created_at").notNull(),
    lastSeenAt: integer("last_seen_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("sessions_by_user").on(table.userId)],
);

export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text().primaryKey(),
    userId: owner(),
    name: text().notNull(),
    keyHash: text("key_hash").notNull().unique(),
    prefix: text().notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at"),
    lastUsedAt: integer("last_used_at"),
    /** Where its requests wait unless they say otherwise. */
    lane: text().$type<Lane>(),
  },
  (table) => [index("api_keys_by_user").on(table.userId)],
);

/** What each person's conversations are encrypted with on the hives: with the person goes all that could read them. */
export const parkingKeys = sqliteTable("parking_keys", {
  userId: text("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  sealedKey: blob("sealed_key", { mode: "buffer" }).notNull(),
});

export const invitations = sqliteTable("invitations", {
  id: text().primaryKey(),
  codeHash: text("code_hash").notNull().unique(),
  role: text().$type<Role>().notNull(),
  /** Names, not references: an invitation outlives the accounts it names. */
  invitedBy: text("invited_by").notNull(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at").notNull(),
  usedAt: integer("used_at"),
  usedBy: text("used_by"),
});

export const joinTokens = sqliteTable("join_tokens", {
  id: text().primaryKey(),
  tokenHash: text("token_hash").notNull().unique(),
  usesLeft: integer("uses_left").notNull(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at").notNull(),
});

export const hives = sqliteTable("hives", {
  hiveId: text("hive_id").primaryKey(),
  name: text().notNull(),
  enrolment: text().$type<EnrolmentKind>().notNull(),
  sealedToken: blob("sealed_token", { mode: "buffer" }).notNull(),
  host: text(),
  port: integer(),
  version: text(),
  /** All but the models, which have a table of their own. */
  capabilities: text({ mode: "json" }).$type<Omit<Capabilities, "models">>(),
  createdAt: integer("created_at").notNull(),
  lastSeenAt: integer("last_seen_at"),
});

/** Machines that the queen reaches over SSH. */
export const beehives = sqliteTable("beehives", {
  name: text().primaryKey(),
  target: text().notNull().unique(),
  hivePort: integer("hive_port").notNull(),
  autoStart: integer("auto_start", { mode: "boolean" }).notNull(),
  installMethod: text("install_method", { mode: "json" }).$type<InstallMethod>().notNull(),
  /** Kept without a reference: a machine stays known after its hive was removed. */
  hiveId: text("hive_id"),
  createdAt: integer("created_at").notNull(),
  updatedAt: integer("updated_at").notNull(),
});

/** The models on each hive's disk, as the hive last reported them. */
export const models = sqliteTable(
  "models",
  {
    hiveId: text("hive_id")
      .notNull()
      .references(() => hives.hiveId, { onDelete: "cascade" }),
    modelId: text("model_id").notNull(),
    facts: text({ mode: "json" }).$type<HiveModel>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hiveId, table.modelId] })],
);

export const usage = sqliteTable(
  "usage",
  {
    requestId: text("request_id").primaryKey(),
    /** Kept without a reference: what was used stays known after an account is gone. */
    userId: text("user_id").notNull(),
    userName: text("user_name").notNull(),
    keyName: text("key_name"),
    model: text().notNull(),
    hiveId: text("hive_id"),
    startedAt: integer("started_at").notNull(),
    durationMs: real("duration_ms").notNull(),
    timeToFirstTokenMs: real("time_to_first_token_ms"),
    promptTokens: integer("prompt_tokens").notNull(),
    cachedTokens: integer("cached_tokens").notNull(),
    completionTokens: integer("completion_tokens").notNull(),
    /** 0 where whoever answered did not count: then the tokens above say nothing. */
    counted: integer().notNull().default(1),
    status: integer().notNull(),
    errorCode: text("error_code"),
  },
  (table) => [
    index("usage_by_time").on(table.startedAt),
    index("usage_by_user_and_time").on(table.userId, table.startedAt),
  ],
);

export const jobs = sqliteTable(
  "jobs",
  {
    jobId: text("job_id").primaryKey(),
    operation: text().$type<Job["operation"]>().notNull(),
    subject: text().notNull(),
    state: text().$type<Job["state"]>().notNull(),
    startedBy: text("started_by"),
    createdAt: integer("created_at").notNull(),
    finishedAt: integer("finished_at"),
    error: text({ mode: "json" }).$type<NonNullable<Job["error"]>>(),
    result: text({ mode: "json" }).$type<NonNullable<Job["result"]>>(),
    input: text({ mode: "json" }).$type<Job["input"]>().notNull(),
  },
  (table) => [index("jobs_by_time").on(table.createdAt), index("jobs_by_state").on(table.state)],
);

/** Everything that jobs have told, in order: what a late follower reads. */
export const jobEvents = sqliteTable(
  "job_events",
  {
    jobId: text("job_id")
      .notNull()
      .references(() => jobs.jobId, { onDelete: "cascade" }),
    seq: integer().notNull(),
    event: text({ mode: "json" }).$type<JobEvent>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.seq] })],
);

/** What the household decided about itself, by name. */
export const household = sqliteTable("household", { key: text().primaryKey(), value: text().notNull() });

/** What the household decided about a model; a null leaves the choice to the hive. A model without a row has no decision. */
export const modelSettings = sqliteTable("model_settings", {
  modelId: text("model_id").primaryKey(),
  contextLength: integer("context_length"),
  extendContext: integer("extend_context", { mode: "boolean" }).notNull().default(false),
  slots: integer(),
  gpuLayers: integer("gpu_layers"),
  flashAttention: integer("flash_attention", { mode: "boolean" }),
  kvType: text("kv_type").$type<KvType>(),
  engine: text().$type<WorkerEngine>(),
  idleStopS: integer("idle_stop_s"),
  preload: integer({ mode: "boolean" }).notNull().default(false),
  pinned: integer({ mode: "boolean" }).notNull().default(false),
  across: text({ mode: "json" }).$type<string[]>().notNull().default([]),
});

/** Other names of models, over the whole household. */
export const modelAliases = sqliteTable("model_aliases", {
  alias: text().primaryKey(),
  modelId: text("model_id")
    .notNull()
    .references(() => modelSettings.modelId, { onDelete: "cascade" }),
});
