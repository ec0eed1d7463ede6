import type { IncomingMessage, ServerResponse } from "node:http";
import type { SmallQueen } from "./queen.ts";

/** A question as the small queen got it, and the way back. */
export interface ServedTask {
  readonly id: string;
  readonly request: Record<string, unknown>;
  /** Resolves when it is cancelled by its id. */
  readonly cancelled: Promise<undefined>;
  /** Resolves when its client is gone. */
  readonly left: Promise<undefined>;
  event(type: string, data: Record<string, unknown>): void;
  /** Says each piece. */
  say(...pieces: string[]): void;
  /** Ends it well. */
  finish(data?: Record<string, unknown>): void;
  fail(status: string, error: Record<string, unknown>): void;
  /** Breaks the connection off. */
  cut(): void;
}

/** Lets the small queen answer questions. @returns those so far. */
export function serveTasks(queen: SmallQueen, perform: (task: ServedTask) => void): ServedTask[] {
  const tasks: ServedTask[] = [];
  queen.handlers.set("POST /v2/tasks", (_request: IncomingMessage, response: ServerResponse, body: string) => {
    const id = `request-${tasks.length + 1}`;
    const job = { ts: 1, job_id: "job:1" };
    const cancelled = Promise.withResolvers<undefined>();
    const left = Promise.withResolvers<undefined>();
    let seq = 0;
    let i = 0;
    const write = (type: string, data: object) => response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": id });
    response.flushHeaders();
    response.once("close", () => {
      left.resolve(undefined);
    });
    queen.handlers.set(`DELETE /v1/inference/${id}`, (_asked, answer) => {
      cancelled.resolve(undefined);
      answer.writeHead(204).end();
    });
    const end = (data: object) => {
      write("result", { seq: ++seq, ...job, ...data });
      response.end("data: [DONE]\n\n");
    };
    const task: ServedTask = {
      ...{ id, request: JSON.parse(body) as Record<string, unknown> },
      ...{ cancelled: cancelled.promise, left: left.promise },
      event: (type, data) => void write(type, { seq: ++seq, ...job, actor: "queen", ...data }),
      say(...pieces) {
        for (const t of pieces) write("token", { t, i: i++ });
      },
      finish(data = {}) {
        end({
          status: "succeeded",
          data: {
            ...{ request_id: id, model: "bee-tiny", hive_id: `hive:${"0".repeat(36)}`, hive: "attic" },
            ...{ worker_id: "worker:a", finish_reason: "stop", usage: null, timings: null },
            ...data,
          },
        });
      },
      fail(status, error) {
        end({ status, error: { message: "no", type: "server_error", param: null, code: "internal_error", ...error } });
      },
      cut: () => void response.destroy(),
    };
    tasks.push(task);
    perform(task);
  });
  return tasks;
}
