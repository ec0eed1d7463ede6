import type { UsageRow } from "@rbee/contract";
import { and, desc, eq, gte, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { tables, type Db } from "#lib/server/db/index.ts";
import type { Usage } from "./types.ts";

const { usage } = tables;

const flushEveryMs = 1_000;
const flushAtRows = 200;

/** One request as it is stored: the row that people see, and whose it was. */
export interface UsageEntry extends UsageRow {
  readonly user_id: string;
}

export interface UsageService extends Usage {
  /** Takes a request's row; it is written with others within a second, and before the queen stops. */
  record(entry: UsageEntry): void;
  start(): void;
  stop(): void;
}

/** A row as the table has it: what was not counted is marked as such. */
const storedOf = ({ prompt_tokens, cached_tokens, completion_tokens, ...row }: UsageEntry) => ({
  ...row,
  prompt_tokens: prompt_tokens ?? 0,
  cached_tokens: cached_tokens ?? 0,
  completion_tokens: completion_tokens ?? 0,
  counted: prompt_tokens === null ? 0 : 1,
});

export function createUsage(db: Db, log: Logger): UsageService {
  // Written once a request: building the statement each time would cost more than running it.
  const insert = db
    .insert(usage)
    .values({
      requestId: sql.placeholder("request_id"),
      userId: sql.placeholder("user_id"),
      userName: sql.placeholder("user"),
      keyName: sql.placeholder("key_name"),
      model: sql.placeholder("model"),
      hiveId: sql.placeholder("hive_id"),
      startedAt: sql.placeholder("started_at"),
      durationMs: sql.placeholder("duration_ms"),
      timeToFirstTokenMs: sql.placeholder("time_to_first_token_ms"),
      promptTokens: sql.placeholder("prompt_tokens"),
      cachedTokens: sql.placeholder("cached_tokens"),
      completionTokens: sql.placeholder("completion_tokens"),
      counted: sql.placeholder("counted"),
      status: sql.placeholder("status"),
      errorCode: sql.placeholder("error_code"),
    } satisfies Record<keyof typeof usage.$inferInsert, unknown>)
    .onConflictDoNothing()
    .prepare();
  let pending: UsageEntry[] = [];
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    if (pending.length === 0) return;
    const rows = pending;
    pending = [];
    try {
      db.transaction(() => {
        for (const entry of rows) {
          const row = storedOf(entry);
          // Clients may name their requests: one that has a name twice still counts twice.
          if (insert.run({ ...row }).changes === 0)
            insert.run({ ...row, request_id: `${row.request_id}~${crypto.randomUUID()}` });
        }
      });
    } catch (error) {
      log.error({ err: error, rows: rows.length }, "usage could not be written");
    }
  };

  return {
    list({ user }, { limit, since }) {
      flush();
      return db
        .select()
        .from(usage)
        .where(
          and(
            user.role === "admin" ? undefined : eq(usage.userId, user.id),
            since === undefined ? undefined : gte(usage.startedAt, since),
          ),
        )
        .orderBy(desc(usage.startedAt))
        .limit(limit)
        .all()
        .map((row) => ({
          request_id: row.requestId,
          user: row.userName,
          key_name: row.keyName,
          model: row.model,
          hive_id: row.hiveId,
          started_at: row.startedAt,
          duration_ms: row.durationMs,
          time_to_first_token_ms: row.timeToFirstTokenMs,
          prompt_tokens: row.counted === 0 ? null : row.promptTokens,
          cached_tokens: row.counted === 0 ? null : row.cachedTokens,
          completion_tokens: row.counted === 0 ? null : row.completionTokens,
          status: row.status,
          error_code: row.errorCode,
        }));
    },
    record(entry) {
      pending.push(entry);
      if (pending.length >= flushAtRows) flush();
    },
    start() {
      timer = setInterval(flush, flushEveryMs).unref();
    },
    stop() {
      clearInterval(timer);
      flush();
    },
  };
}
