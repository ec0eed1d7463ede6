import {
  errorBodySchema,
  finishReasonSchema,
  RbeeError,
  type ChatRequest,
  type FinishReason,
  type TaskRequest,
  timingsSchema,
  usageSchema,
  type Timings,
  type Usage,
} from "@rbee/contract";
import { narrate, progress } from "@rbee/jobs";
import { createParser } from "eventsource-parser";
import * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Inference, Reply, ReplyFlow, RequestContext, WorkerView } from "#lib/server/inference/index.ts";

/** What a task needs of a chunk; the whole of it would cost every token. */
const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), reasoning_content: z.string().optional() }),
      finish_reason: finishReasonSchema.nullable(),
    }),
  ),
  usage: usageSchema.nullish(),
  timings: timingsSchema.optional(),
});

/** Who is told how long the line is, at most this often. */
const lookAtQueueMs = 1_000;

/** Takes the pieces of an answer as they come. */
export interface TokenSink {
  token(text: string, isReasoning: boolean): void;
  /** False asks for a pause. */
  readonly wantsMore: boolean;
  /** Gets what lets the answer flow again. */
  onFlow(resume: () => void): void;
}

/** How an answer ended that was read to its end. */
export interface Answered {
  readonly worker: WorkerView;
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  readonly timings: Timings | null;
}

/** The chat that a task's question is, for a model that is there. */
export function chatOf(task: TaskRequest, model: string): ChatRequest {
  const { node: _node, backend: _backend, device: _device, prompt, messages, ...sampling } = task;
  return {
    ...sampling,
    model,
    messages: messages ?? [{ role: "user", content: prompt ?? "" }],
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** Tells in the job that runs now how long the line is, as long as somebody waits in it. */
function tellOfQueue(inference: Pick<Inference, "queue">, person: Person, requestId: string): () => void {
  let told = 0;
  const timer = setInterval(() => {
    const mine = inference.queue(person).data.find((entry) => entry.request_id === requestId);
    const position = mine?.waits_for === "slot" ? mine.position : 0;
    if (position !== 0 && position !== told)
      narrate({
        action: "queued",
        message: position === 1 ? "Next in line for a free slot." : `Number ${position} in line for a free slot.`,
        data: { position },
      });
    told = position;
  }, lookAtQueueMs).unref();
  return () => {
    clearInterval(timer);
  };
}

/**
 * Has a chat answered like every other, in turn and with failover, and hands its pieces on.
 * @throws {RbeeError} what answering throws, and the error that the answer broke off with; the signal's reason.
 */
export async function answer(
  inference: Pick<Inference, "chat" | "queue">,
  person: Person,
  chat: ChatRequest,
  context: Omit<RequestContext, "seated">,
  sink: TokenSink,
): Promise<Answered> {
  let worker: WorkerView | undefined;
  const stopTelling = tellOfQueue(inference, person, context.requestId);
  let reply: Reply;
  try {
    reply = await inference.chat(person, chat, { ...context, seated: (seat) => (worker = seat) });
  } finally {
    stopTelling();
  }
  const end = await read(reply, context.signal, sink);
  if (worker === undefined) throw new Error("an answer came from no worker");
  return { worker, ...end };
}

function read({ body }: Reply, signal: AbortSignal, sink: TokenSink): Promise<Omit<Answered, "worker">> {
  if (typeof body === "string") throw new RbeeError("hive_invalid_response", "The answer is no stream.");
  const { promise, resolve, reject } = Promise.withResolvers<Omit<Answered, "worker">>();
  const end: { finishReason: FinishReason | null; usage: Usage | null; timings: Timings | null } = {
    finishReason: null,
    usage: null,
    timings: null,
  };
  let failure: RbeeError | undefined;
  let isDone = false;
  const take = (data: string) => {
    if (data === "[DONE]") {
      isDone = true;
      return;
    }
    const value: unknown = JSON.parse(data);
    const chunk = chunkSchema.safeParse(value).data;
    if (chunk === undefined) {
      const body = errorBodySchema.safeParse(value).data;
      failure =
        body === undefined
          ? new RbeeError("hive_invalid_response", "The answer has a part that is no answer.")
          : RbeeError.fromBody(body, "worker_crashed");
      return;
    }
    const [choice] = chunk.choices;
    const { content, reasoning_content: thought } = choice?.delta ?? {};
    if (thought !== undefined && thought !== "") sink.token(thought, true);
    if (typeof content === "string" && content !== "") sink.token(content, false);
    end.finishReason = choice?.finish_reason ?? end.finishReason;
    end.usage = chunk.usage ?? end.usage;
    end.timings = chunk.timings ?? end.timings;
  };
  const parser = createParser({
    onEvent: ({ data }) => {
      take(data);
    },
    onComment(comment) {
      const prefill = /^\s*prefill (\d+)\/(\d+)/u.exec(comment);
      if (prefill !== null)
        progress({ phase: "prefill", done: Number(prefill[1]), total: Number(prefill[2]), unit: "items" });
    },
  });
  const decoder = new TextDecoder();
  let flow: ReplyFlow | undefined;
  try {
    flow = body({
      write(bytes) {
        try {
          parser.feed(decoder.decode(bytes, { stream: true }));
        } catch (error) {
          reject(error);
          flow?.cancel();
        }
        return sink.wantsMore;
      },
      end() {
        if (failure !== undefined) reject(failure);
        else if (isDone) resolve(end);
        else if (signal.aborted) reject(signal.reason);
        else reject(new RbeeError("worker_crashed", "The answer broke off before its end."));
      },
    });
  } catch (error) {
    reject(error);
  }
  sink.onFlow(() => flow?.resume());
  return promise;
}
