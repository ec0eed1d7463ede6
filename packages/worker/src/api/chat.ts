import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { streamErrorEvent, type ChatCompletion, type ChatRequest } from "@rbee/contract";
import type { Ending, Generation, GenerationRequest, Progress, Scheduler } from "../scheduler/index.ts";
import { ChunkWriter, completionOf, streamDone, type Envelope } from "./chat-json.ts";
import { EventStream } from "./event-stream.ts";

/** Names an answer: after the request's id when the caller gave a usable one, so that logs can be matched. */
export function envelopeFor(model: string, fingerprint: string, requestId: string | undefined): Envelope {
  const usable = requestId !== undefined && /^[\w:.-]{1,128}$/u.test(requestId);
  return {
    id: `chatcmpl-${usable ? requestId : randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model,
    fingerprint,
  };
}

function commentFor(progress: Progress): string {
  if (progress.phase === "prefill") return `prefill ${progress.done}/${progress.total}`;
  return progress.phase === "queued" ? "queued" : "waiting";
}

/**
 * Streams an answer. The headers are sent as soon as the scheduler has taken the request.
 * @throws {RbeeError} `worker_busy`, before anything is sent.
 */
export function streamChat(
  scheduler: Scheduler,
  work: GenerationRequest,
  request: ChatRequest,
  envelope: Envelope,
  response: ServerResponse,
): void {
  const includeUsage = request.stream_options?.include_usage ?? false;
  const chunks = new ChunkWriter(envelope, includeUsage);
  let named = false;
  const nameFirst = (events: string) => {
    if (named) return events;
    named = true;
    // An answer that is cut off has no timings: the queen meters from this what it cost.
    const { cached, computed } = generation.promptTokens;
    return `: prompt ${cached}+${computed}\n\n${chunks.role()}${events}`;
  };
  // The scheduler calls back after this turn of the event loop at the earliest, when `stream` is there.
  const generation = scheduler.submit(work, {
    text: (text) => {
      stream.text(text);
    },
    end: ({ reason, timings }) => {
      const usage = includeUsage ? chunks.usage(timings) : "";
      stream.end(nameFirst(chunks.finish(reason, timings)) + usage + streamDone);
    },
    fail: (error) => {
      stream.end(streamErrorEvent(error));
    },
  });
  const stream = new EventStream(response, {
    render: (text) => nameFirst(chunks.text(text)),
    comment: () => commentFor(generation.progress),
    onGone: () => {
      scheduler.cancel(generation);
    },
  });
}

/**
 * Answers in one piece. `response` is only watched: when its reader leaves, the work stops and this never settles.
 * @throws {RbeeError} `worker_busy`, or `internal_error` when the engine fails.
 */
export async function wholeChat(
  scheduler: Scheduler,
  work: GenerationRequest,
  envelope: Envelope,
  response: ServerResponse,
): Promise<ChatCompletion> {
  let content = "";
  let generation: Generation | undefined;
  const leave = () => {
    if (generation !== undefined) scheduler.cancel(generation);
  };
  response.once("close", leave);
  try {
    const ending = await new Promise<Ending>((resolve, reject) => {
      generation = scheduler.submit(work, {
        text: (text) => {
          content += text;
        },
        end: resolve,
        fail: reject,
      });
      // Its reader may have left while the request was still being read.
      if (response.destroyed) leave();
    });
    return completionOf(envelope, content, ending.reason, ending.timings);
  } finally {
    response.off("close", leave);
  }
}
