import type { ServerResponse } from "node:http";
import { json, type SmallQueen } from "./queen.ts";

/** An event as a test writes it: its number, time and job are added. */
export interface Told {
  readonly type: "narration" | "progress" | "result";
  readonly [field: string]: unknown;
}

/** A job as the small queen serves it. */
export interface ServedJob {
  readonly id: string;
  /** What it was started with. */
  readonly request: Record<string, unknown>;
  /** The `Last-Event-ID` of each connection to its stream; 0 where there was none. */
  readonly connections: number[];
  readonly cancelled: Promise<undefined>;
  /** Tells something to whoever is connected and will be. */
  tell(...events: readonly Told[]): void;
  /** Cuts the connections there are. */
  cut(): void;
}

export const narration = (message: string, fields: Record<string, unknown> = {}): Told => ({
  ...{ type: "narration", actor: "queen", action: "said", level: "info", message },
  ...fields,
});
/** What a step tells of itself: of one that ended otherwise than well, only how and when. */
export const stepEvent = (name: string, state: string, fields: Record<string, unknown> = {}): Told =>
  narration(state === "started" ? `Doing ${name}` : `${name} ${state}`, {
    action: name,
    level: state === "failed" ? "error" : "info",
    data: {
      ...(state === "started" || state === "finished" ? { step: name, step_path: [name] } : {}),
      ...(state === "started" ? {} : { duration_ms: 1_234 }),
      state,
      ...fields,
    },
  });
export const result = (status: string, fields: Record<string, unknown> = {}): Told => ({
  ...{ type: "result", actor: "queen", status },
  ...fields,
});
export const failure = (code: string, fields: Record<string, unknown> = {}) => ({
  ...{ message: `It failed with ${code}.`, type: "server_error", param: null, code },
  ...fields,
});

/**
 * Lets the small queen serve jobs: `perform` is called for each that is started, and tells its events.
 * @returns The jobs so far.
 */
export function serveJobs(queen: SmallQueen, perform: (job: ServedJob, index: number) => void): ServedJob[] {
  const jobs: ServedJob[] = [];
  queen.handlers.set("POST /v1/jobs", (request, response, body) => {
    const id = `job:${jobs.length + 1}`;
    const path = `/v1/jobs/${encodeURIComponent(id)}`;
    const log: string[] = [];
    const open = new Set<ServerResponse>();
    const { promise: cancelled, resolve: cancel } = Promise.withResolvers<undefined>();
    const job: ServedJob = {
      ...{ id, request: JSON.parse(body) as Record<string, unknown>, connections: [], cancelled },
      tell(...events) {
        for (const { type, ...fields } of events) {
          const seq = log.length + 1;
          const data = JSON.stringify({ seq, ts: 1, job_id: id, ...fields });
          const text = `id: ${seq}\nevent: ${type}\ndata: ${data}\n\n${type === "result" ? "data: [DONE]\n\n" : ""}`;
          log.push(text);
          for (const stream of open)
            if (type === "result") stream.end(text);
            else stream.write(text);
        }
      },
      cut() {
        for (const stream of open) stream.destroy();
        open.clear();
      },
    };
    jobs.push(job);
    queen.handlers.set(`DELETE ${path}`, (_request, answer) => {
      cancel(undefined);
      answer.writeHead(204).end();
    });
    queen.handlers.set(`GET ${path}/stream`, (streamRequest, stream) => {
      const after = Number(streamRequest.headers["last-event-id"] ?? 0);
      job.connections.push(after);
      stream.writeHead(200, { "content-type": "text/event-stream" });
      stream.write(log.slice(after).join("") || ": nothing yet\n\n");
      if (log.at(-1)?.includes("[DONE]") === true) stream.end();
      else open.add(stream);
    });
    json(202, { job_id: id, stream_url: `${path}/stream` })(request, response, body);
    perform(job, jobs.length - 1);
  });
  return jobs;
}
