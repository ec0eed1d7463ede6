import type { ServerResponse } from "node:http";
import { streamErrorEvent, type ChatCompletion, type ChatRequest, type Timings } from "@rbee/contract";
import type { Vocabulary } from "../engine/engine.ts";
import type { Scheduler } from "../scheduler/index.ts";
import { ChatAnswer, type ChatPart } from "./chat-answer.ts";
import { choiceOf, ChunkWriter, completionOf, mergeParts, type ChoiceEnd } from "./chat-json.ts";
import type { ChatPlan } from "./chat-plan.ts";
import { ChoiceGroup } from "./choices.ts";
import { commentFor, promptComment, streamDone, usageOf, type Envelope } from "./envelope.ts";
import { EventStream } from "./event-stream.ts";
import { untilWhole } from "./whole-answer.ts";

/** What is sent of a chat: a part of a choice, or how it ended. */
type Sent = ChatPart | { readonly kind: "finish"; readonly choice: number; readonly end: ChoiceEnd };

export interface ChatWork {
  readonly scheduler: Scheduler;
  readonly vocabulary: Vocabulary;
  readonly plan: ChatPlan;
  readonly request: ChatRequest;
  readonly envelope: Envelope;
}

const reasoningTokensOf = (plan: ChatPlan, answers: readonly ChatAnswer[]): number | null =>
  plan.thinks ? answers.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0) : null;

/**
 * Streams an answer. The headers are sent as soon as the scheduler has taken the request.
 * @throws {RbeeError} `worker_busy`, before anything is sent.
 */
export function streamChat(
  { scheduler, vocabulary, plan, request, envelope }: ChatWork,
  response: ServerResponse,
): void {
  const includeUsage = request.stream_options?.include_usage ?? false;
  const chunks = new ChunkWriter(envelope, includeUsage);
  const answers = plan.requests.map((_, choice) => new ChatAnswer(choice, plan, vocabulary));
  const finish = (timings: Timings, last: Extract<Sent, { kind: "finish" }>) => {
    const usage = includeUsage ? chunks.usage(usageOf(timings, reasoningTokensOf(plan, answers))) : "";
    stream.end(begin() + chunks.finish(last.choice, last.end, timings) + usage + streamDone);
  };
  let begun = false;
  const begin = () => {
    if (begun) return "";
    begun = true;
    return promptComment(group);
  };
  // The group calls back after this turn of the event loop at the earliest, when `stream` is there.
  const group = new ChoiceGroup(scheduler, plan.requests, {
    text: (choice, text, origin) => {
      for (const part of answers[choice]?.text(text, origin) ?? []) stream.send(part);
    },
    end: (choice, ended, timings) => {
      for (const part of answers[choice]?.end() ?? []) stream.send(part);
      const end = { ...ended, reason: answers[choice]?.finishReason(ended.reason) ?? ended.reason };
      const last = { kind: "finish", choice, end } as const;
      if (timings === null) stream.send(last);
      else finish(timings, last);
    },
    fail: (error) => {
      stream.end(streamErrorEvent(error));
    },
  });
  const stream = new EventStream<Sent>(response, {
    render: (sent) =>
      begin() + (sent.kind === "finish" ? chunks.finish(sent.choice, sent.end, null) : chunks.part(sent)),
    merge: (one, next) => (one.kind === "finish" || next.kind === "finish" ? null : mergeParts(one, next)),
    comment: () => commentFor(group.progress),
    onGone: () => {
      group.cancel();
    },
  });
}

/**
 * Answers in one piece. `response` is only watched: when its reader leaves, the work stops and this never settles.
 * @throws {RbeeError} `worker_busy`, or `internal_error` when the engine fails.
 */
export async function wholeChat(work: ChatWork, response: ServerResponse): Promise<ChatCompletion> {
  const { scheduler, vocabulary, plan, request, envelope } = work;
  const answers = plan.requests.map((_, choice) => new ChatAnswer(choice, plan, vocabulary));
  const parts: ChatPart[][] = answers.map(() => []);
  const ends: ChoiceEnd[] = answers.map(() => ({ reason: "stop", stop: null }));
  const timings = await untilWhole(scheduler, plan.requests, response, {
    text: (choice, text, origin) => {
      parts[choice]?.push(...(answers[choice]?.text(text, origin) ?? []));
    },
    end: (choice, ended) => {
      parts[choice]?.push(...(answers[choice]?.end() ?? []));
      ends[choice] = { ...ended, reason: answers[choice]?.finishReason(ended.reason) ?? ended.reason };
    },
  });
  const choices = parts.map((own, choice) =>
    choiceOf(choice, own, ends[choice] ?? { reason: "stop", stop: null }, request.logprobs === true),
  );
  return completionOf(envelope, choices, usageOf(timings, reasoningTokensOf(plan, answers)), timings);
}
