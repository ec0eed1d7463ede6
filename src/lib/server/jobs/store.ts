import type { Job, JobEvent } from "@rbee/contract";
import type { EventStore, JobStore } from "@rbee/jobs";
import { and, asc, desc, eq, gt, inArray, ne, sql } from "drizzle-orm";
import { tables, type Db } from "#lib/server/db/index.ts";

const { jobs, jobEvents } = tables;

/** SQLite knows no offset without a limit. */
const everything = Number.MAX_SAFE_INTEGER;
/** Of two jobs of the same millisecond the one that was written later is the newer. */
const newestFirst = [desc(jobs.createdAt), desc(sql`rowid`)] as const;

const toJob = (row: typeof jobs.$inferSelect): Job => ({
  job_id: row.jobId,
  operation: row.operation,
  subject: row.subject,
  state: row.state,
  started_by: row.startedBy,
  created_at: row.createdAt,
  finished_at: row.finishedAt,
  error: row.error,
  result: row.result,
  input: row.input,
});

/**
 * Keeps jobs and everything they tell in the queen's database.
 * @param options `keepFinished`: so many finished jobs are kept; older ones go, with their events.
 */
export function createSqliteJobStore(db: Db, options: { keepFinished: number }): JobStore & EventStore {
  const forgetOld = () => {
    const old = db
      .select({ jobId: jobs.jobId })
      .from(jobs)
      .where(ne(jobs.state, "running"))
      .orderBy(...newestFirst)
      .limit(everything)
      .offset(options.keepFinished);
    db.delete(jobs).where(inArray(jobs.jobId, old)).run();
  };

  return {
    create(job) {
      const { job_id, started_by, created_at, finished_at, ...rest } = job;
      db.insert(jobs)
        .values({ ...rest, jobId: job_id, startedBy: started_by, createdAt: created_at, finishedAt: finished_at })
        .run();
    },
    finish(jobId, { state, finished_at, error, result }) {
      db.update(jobs).set({ state, finishedAt: finished_at, error, result }).where(eq(jobs.jobId, jobId)).run();
      forgetOld();
    },
    get(jobId) {
      const row = db.select().from(jobs).where(eq(jobs.jobId, jobId)).get();
      return row === undefined ? undefined : toJob(row);
    },
    list: ({ limit }) =>
      db
        .select()
        .from(jobs)
        .orderBy(...newestFirst)
        .limit(limit)
        .all()
        .map(toJob),
    running: () => db.select().from(jobs).where(eq(jobs.state, "running")).all().map(toJob),
    append(jobId, event) {
      db.insert(jobEvents).values({ jobId, seq: event.seq, event }).run();
    },
    read: (jobId, afterSeq, limit) =>
      db
        .select({ event: jobEvents.event })
        .from(jobEvents)
        .where(and(eq(jobEvents.jobId, jobId), gt(jobEvents.seq, afterSeq)))
        .orderBy(asc(jobEvents.seq))
        .limit(limit)
        .all()
        .map(({ event }) => event),
    last: (jobId): JobEvent | undefined =>
      db
        .select({ event: jobEvents.event })
        .from(jobEvents)
        .where(eq(jobEvents.jobId, jobId))
        .orderBy(desc(jobEvents.seq))
        .limit(1)
        .get()?.event,
  };
}
