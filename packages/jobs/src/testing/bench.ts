import type { JobEvent, NarrationEvent, ResultEvent } from "@rbee/contract";
import { createMemoryLog } from "../memory-log.ts";
import { createMemoryStore } from "../memory-store.ts";
import type { ProcessLog } from "../process-log.ts";
import { createJobs, type JobRequest, type StartedJob } from "../runner.ts";
import { ManualClock } from "./manual-clock.ts";

/** What a process wrote into its log. */
export class RecordedLog implements ProcessLog {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  debug = this.#writer("debug");
  info = this.#writer("info");
  warn = this.#writer("warn");
  error = this.#writer("error");

  get text(): string {
    return JSON.stringify(this.lines);
  }

  #writer(level: string) {
    return (fields: object, message: string) => {
      this.lines.push({ level, fields, message });
    };
  }
}

/** A job runner with everything in reach of a test. */
export function createBench(options: { graceMs?: number; actor?: string } = {}) {
  const clock = new ManualClock();
  const log = createMemoryLog();
  const store = createMemoryStore();
  const processLog = new RecordedLog();
  const jobs = createJobs({ store, log, clock, processLog, actor: "queen", ...options });
  const start = (operation: (signal: AbortSignal) => unknown, request: Partial<JobRequest> = {}): StartedJob =>
    jobs.run(
      { operation: "self_check", subject: "here", input: {}, startedBy: null, timeoutMs: 60_000, ...request },
      operation,
    );
  const events = (jobId: string): JobEvent[] => log.read(jobId, 0, 100_000);
  return {
    clock,
    log,
    store,
    processLog,
    jobs,
    start,
    events,
    /** Runs a job to its end and gives what its log then holds. */
    async perform(operation: (signal: AbortSignal) => unknown, request: Partial<JobRequest> = {}) {
      const { job_id, finished } = start(operation, request);
      const job = await finished;
      return { job, events: events(job_id), result: resultOf(events(job_id)) };
    },
  };
}

/** The narration among events, in order. */
export function narrations(events: readonly JobEvent[]): NarrationEvent[] {
  return events.filter((event) => event.type === "narration");
}

/** The messages that tell of something other than a time limit's start. */
export function messages(events: readonly JobEvent[]): string[] {
  return narrations(events)
    .filter(({ action }) => action !== "timeout_start")
    .map(({ message }) => message);
}

/** The one result of a job that is over; it has to be the last event. */
export function resultOf(events: readonly JobEvent[]): ResultEvent {
  const results = events.filter((event) => event.type === "result");
  const last = events.at(-1);
  if (results.length !== 1 || last?.type !== "result") throw new Error(`${results.length} results, last ${last?.type}`);
  return last;
}

/** All that a stream says, to its end. */
export async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

/** A promise and how to settle it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    opened: promise,
    open: () => {
      resolve(undefined);
    },
  };
}

/** Everything that an iterable gives. */
export async function allOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}
