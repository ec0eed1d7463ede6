import type { ServerResponse } from "node:http";
import {
  streamErrorEvent,
  type Completion,
  type CompletionLogprobs,
  type CompletionRequest,
  type Timings,
} from "@rbee/contract";
import type { Vocabulary } from "../engine/engine.ts";
import type { Scheduler } from "../scheduler/index.ts";
import type { SeenToken } from "../text/logprob-trail.ts";
import { ChoiceGroup } from "./choices.ts";
import type { CompletionPlan } from "./completion-plan.ts";
import { commentFor, promptComment, streamDone, usageOf, type Envelope } from "./envelope.ts";
import { EventStream } from "./event-stream.ts";
import { logprobOf } from "./logprobs.ts";
import { untilWhole } from "./whole-answer.ts";

type Choice = Completion["choices"][number];

export interface CompletionWork {
  readonly scheduler: Scheduler;
  readonly vocabulary: Vocabulary;
  readonly plan: CompletionPlan;
  readonly request: CompletionRequest;
  readonly envelope: Envelope;
}

interface TextPart {
  readonly choice: number;
  readonly text: string;
  readonly seen: readonly SeenToken[];
}

/** Writes what was seen of tokens in the older shape, and remembers where in the text the next one begins. */
class LogprobWriter {
  readonly #vocabulary: Vocabulary;
  readonly #wanted: number | null;
  #offset = 0;

  constructor(vocabulary: Vocabulary, wanted: number | null) {
    this.#vocabulary = vocabulary;
    this.#wanted = wanted;
  }

  write(tokens: readonly SeenToken[]): CompletionLogprobs {
    if (this.#wanted === null) return null;
    const entries = tokens.map((seen) => logprobOf(this.#vocabulary, seen));
    return {
      tokens: entries.map(({ token }) => token),
      token_logprobs: entries.map(({ logprob }) => logprob),
      top_logprobs:
        this.#wanted === 0
          ? null
          : entries.map((entry) =>
              Object.fromEntries([...entry.top_logprobs, entry].map(({ token, logprob }) => [token, logprob])),
            ),
      text_offset: entries.map(({ token }) => {
        const at = this.#offset;
        this.#offset += token.length;
        return at;
      }),
    };
  }
}

const headOf = (envelope: Envelope) => ({
  id: envelope.id,
  object: "text_completion" as const,
  created: envelope.created,
  model: envelope.model,
  system_fingerprint: envelope.fingerprint,
});

/**
 * Streams the choices of a completion.
 * @throws {RbeeError} `worker_busy`, before anything is sent.
 */
export function streamCompletion(work: CompletionWork, response: ServerResponse): void {
  const { scheduler, vocabulary, plan, request, envelope } = work;
  const includeUsage = request.stream_options?.include_usage ?? false;
  const writers = plan.requests.map(() => new LogprobWriter(vocabulary, request.logprobs ?? null));
  const event = (choices: readonly Choice[], more: Partial<Completion>) =>
    `data: ${JSON.stringify({ ...headOf(envelope), choices, ...(includeUsage ? { usage: null } : {}), ...more })}\n\n`;
  const finish = (choice: number, reason: "stop" | "length", timings: Timings | null) =>
    event([{ index: choice, text: "", logprobs: null, finish_reason: reason }], timings === null ? {} : { timings });
  type Sent = TextPart | { readonly choice: number; readonly reason: "stop" | "length" };
  const echoes = [...plan.echoes];
  /** A choice's prompt, once. */
  const echo = (choice: number) => {
    const text = echoes[choice] ?? "";
    echoes[choice] = "";
    return text;
  };
  let begun = false;
  const begin = () => {
    if (begun) return "";
    begun = true;
    return promptComment(group);
  };
  const group = new ChoiceGroup(
    scheduler,
    plan.requests,
    {
      text: (choice, text, { seen }) => {
        stream.send({ choice, text: echo(choice) + text, seen });
      },
      end: (choice, { reason }, timings) => {
        const left = echo(choice);
        if (left !== "") stream.send({ choice, text: left, seen: [] });
        if (timings === null) stream.send({ choice, reason });
        else {
          const usage = includeUsage ? event([], { usage: usageOf(timings) }) : "";
          stream.end(begin() + finish(choice, reason, timings) + usage + streamDone);
        }
      },
      fail: (error) => {
        stream.end(streamErrorEvent(error));
      },
    },
    plan.prompts,
  );
  const stream = new EventStream<Sent>(response, {
    render: (sent) => {
      if ("reason" in sent) return finish(sent.choice, sent.reason, null);
      const logprobs = writers[sent.choice]?.write(sent.seen) ?? null;
      return begin() + event([{ index: sent.choice, text: sent.text, logprobs, finish_reason: null }], {});
    },
    merge: (one, next) =>
      "reason" in one || "reason" in next || one.choice !== next.choice
        ? null
        : { choice: one.choice, text: one.text + next.text, seen: [...one.seen, ...next.seen] },
    comment: () => commentFor(group.progress),
    onGone: () => {
      group.cancel();
    },
  });
}

/**
 * Answers in one piece; when the reader leaves, the work stops and this never settles.
 * @throws {RbeeError} `worker_busy`, or `internal_error` when the engine fails.
 */
export async function wholeCompletion(work: CompletionWork, response: ServerResponse): Promise<Completion> {
  const { scheduler, vocabulary, plan, request, envelope } = work;
  const choices = plan.echoes.map((text) => ({ text, seen: [] as SeenToken[], reason: "stop" as "stop" | "length" }));
  const timings = await untilWhole(
    scheduler,
    plan.requests,
    response,
    {
      text: (index, text, { seen }) => {
        const choice = choices[index];
        if (choice === undefined) return;
        choice.text += text;
        choice.seen.push(...seen);
      },
      end: (index, { reason }) => {
        const choice = choices[index];
        if (choice !== undefined) choice.reason = reason;
      },
    },
    plan.prompts,
  );
  return {
    ...headOf(envelope),
    choices: choices.map(({ text, seen, reason }, index) => ({
      index,
      text,
      logprobs: new LogprobWriter(vocabulary, request.logprobs ?? null).write(seen),
      finish_reason: reason,
    })),
    usage: usageOf(timings),
    timings,
  };
}
