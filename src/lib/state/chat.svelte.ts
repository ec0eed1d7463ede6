import type { Queue, Timings } from "@rbee/contract";
import { createContext } from "svelte";
import { words } from "#lib/words/index.ts";
import { askQueen } from "./ask-queen.ts";
import { ownPlace } from "./queue-view.ts";
import { problemOf, readChatStream, type ChatEvent, type ChatProblem } from "./chat-stream.ts";

/** Cooler than the API's 1, at which small models at home lose the thread; above 0, so that "again" gives another answer. */
const temperature = 0.3;

export type AnswerState = "waiting" | "writing" | "done" | "stopped" | "failed";

export interface Question {
  id: number;
  role: "user";
  text: string;
}
export interface Answer {
  id: number;
  role: "assistant";
  text: string;
  /** What a reasoning model thought before it answered. */
  thoughts: string;
  state: AnswerState;
  model: string;
  /** What is known about the wait before the first word. */
  wait: { type: "sending" } | { type: "in_line"; place: number } | Extract<ChatEvent, { type: "queued" | "reading" }>;
  problem: ChatProblem | null;
  finish: string | null;
  timings: Timings | null;
  firstWordMs: number | null;
  /** Name or id of the machine that answered, as far as it is known. */
  machine: string | null;
}
export type Turn = Question | Answer;

/** Words are drawn this often at most, however fast they come. */
const drawEveryMs = 33;
/** How often the queue is asked for a question's place. */
const lookEveryMs = 1_000;

/** One conversation, kept in memory only; it outlives a change of page but not a reload. */
export class Chat {
  turns = $state<Turn[]>([]);
  model = $state<string | null>(null);
  draft = $state("");
  readonly running = $derived.by(() => {
    const last = this.turns.at(-1);
    return last?.role === "assistant" && (last.state === "waiting" || last.state === "writing");
  });

  #nextId = 1;
  #abort: AbortController | null = null;

  /** Asks `text`, or what is in the draft. Does nothing while an answer is being written. */
  ask(text = this.draft): void {
    const question = text.trim();
    if (question === "" || this.running || this.model === null) return;
    if (text === this.draft) this.draft = "";
    this.turns.push({ id: this.#nextId++, role: "user", text: question });
    void this.#answer();
  }

  stop(): void {
    this.#abort?.abort();
  }

  /** Answers the last question again. */
  again(): void {
    if (this.running) return;
    if (this.turns.at(-1)?.role === "assistant") this.turns.pop();
    if (this.turns.at(-1)?.role === "user") void this.#answer();
  }

  /** Replaces a question and forgets everything that came after it. */
  edit(id: number, text: string): void {
    const question = text.trim();
    const at = this.turns.findIndex((turn) => turn.id === id);
    if (at < 0 || question === "" || this.running) return;
    this.turns.splice(at);
    this.ask(question);
  }

  clear(): void {
    this.stop();
    this.turns = [];
  }

  async #answer(): Promise<void> {
    const model = this.model;
    if (model === null) return;
    const messages = this.turns
      .filter((turn) => turn.text !== "")
      .map((turn) => ({ role: turn.role, content: turn.text }));
    this.turns.push({
      id: this.#nextId++,
      role: "assistant",
      text: "",
      thoughts: "",
      state: "waiting",
      model,
      wait: { type: "sending" },
      problem: null,
      finish: null,
      timings: null,
      firstWordMs: null,
      machine: null,
    });
    const answer = this.turns.at(-1);
    if (answer?.role !== "assistant") return;
    const abort = new AbortController();
    this.#abort = abort;
    const startedAt = performance.now();
    const begun = new AbortController();
    void watchPlace(answer, begun.signal);
    let pending = "";
    let pendingThoughts = "";
    let timer: ReturnType<typeof setTimeout> | null = null;
    const draw = () => {
      timer = null;
      answer.text += pending;
      answer.thoughts += pendingThoughts;
      pending = "";
      pendingThoughts = "";
    };
    try {
      const response = await fetch("/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model, messages, temperature, stream: true, stream_options: { include_usage: true } }),
        signal: abort.signal,
      });
      begun.abort();
      answer.machine = response.headers.get("x-rbee-hive");
      if (!response.ok || response.body === null) {
        answer.problem = await problemOfResponse(response);
        answer.state = "failed";
        return;
      }
      for await (const event of readChatStream(response.body)) {
        if (event.type === "text" || event.type === "thought") {
          answer.firstWordMs ??= performance.now() - startedAt;
          answer.state = "writing";
          if (event.type === "text") pending += event.text;
          else pendingThoughts += event.text;
          timer ??= setTimeout(draw, drawEveryMs);
        } else if (event.type === "queued" || event.type === "reading") answer.wait = event;
        else if (event.type === "timings") answer.timings = event.timings;
        else if (event.type === "finish") answer.finish = event.reason;
        else if (event.type === "problem") {
          answer.problem = event.problem;
          answer.state = "failed";
        } else answer.state = "done";
      }
    } catch {
      if (!abort.signal.aborted) answer.problem = unreachable;
      answer.state = abort.signal.aborted ? "stopped" : "failed";
    } finally {
      begun.abort();
      if (timer !== null) clearTimeout(timer);
      draw();
      if (abort.signal.aborted && answer.state !== "done") answer.state = "stopped";
      if (this.#abort === abort) this.#abort = null;
    }
  }
}

/** Looks once a second where a question is in the queue, until its answer begins. */
async function watchPlace(answer: Answer, begun: AbortSignal): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    if (begun.aborted) return;
    const queue = (await askQueen("GET", "/v1/queue").catch(() => null)) as Queue | null;
    if (begun.aborted || answer.state !== "waiting") return;
    if (queue === null) continue;
    const place = ownPlace(queue, answer.model);
    answer.wait = place === null ? { type: "sending" } : { type: "in_line", place };
  }
}

const unreachable: ChatProblem = {
  code: "queen_unreachable",
  message: words.chat.errors.unreachable,
  suggestion: words.chat.errors.unreachableSuggestion,
};

async function problemOfResponse(response: Response): Promise<ChatProblem> {
  const body = (await response.json().catch(() => null)) as { error?: Parameters<typeof problemOf>[0] } | null;
  if (body?.error?.message === undefined)
    return { code: String(response.status), message: words.chat.errors.unreadable(response.status) };
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return problemOf(body.error, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

export const [getChat, provideChat] = createContext<Chat>();
