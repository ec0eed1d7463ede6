import { errorBodySchema, RbeeError, type ErrorCode } from "@rbee/contract";
import type { Told } from "../upstream.ts";
import type { ForeignServer } from "./server.ts";
import { complaintIn, complaintOf, type Complaint } from "./words.ts";

const usualRetryS = 2;
const mostRetryS = 600;

const speaksOfContext =
  /context_length|context length|context size|context window|exceed_context|maximum context|too many tokens/iu;
const speaksOfLoading = /loading|warming|starting/iu;

/** Our code for what a server's status says. */
function codeOf(status: number, { words, hints }: Complaint): ErrorCode {
  const said = `${hints} ${words}`;
  switch (status) {
    case 400:
    case 409:
    case 422:
      return speaksOfContext.test(said) ? "context_length_exceeded" : "invalid_request";
    case 401:
    case 402:
    case 403:
      return "forbidden";
    case 404:
      return /model/iu.test(said) ? "model_not_found" : "invalid_request";
    case 405:
    case 501:
      return "invalid_request";
    case 408:
      return "request_timeout";
    case 413:
      return "payload_too_large";
    case 429:
      return "worker_busy";
    case 503:
      return speaksOfLoading.test(said) ? "model_loading" : "worker_busy";
    default:
      return status >= 500 && speaksOfContext.test(said) ? "context_length_exceeded" : "worker_crashed";
  }
}

function sentenceOf(code: ErrorCode, status: number, { name, model }: ForeignServer, words: string): string {
  const said = words === "" ? "." : `: ${words}`;
  switch (code) {
    case "context_length_exceeded":
      return `The prompt and the answer do not fit into the context that ${name} gives ${model}${said}`;
    case "invalid_request":
      return status === 404 || status === 405 || status === 501
        ? `${name} has no such function (${status})${said}`
        : `${name} refuses this request (${status})${said}`;
    case "forbidden":
      return `${name} does not let rbee in (${status})${said}`;
    case "model_not_found":
      return `${name} does not have ${model} any more${said}`;
    case "worker_busy":
      return `${name} takes no more requests now (${status})${said}`;
    case "model_loading":
      return `${name} is still loading ${model}${said}`;
    default:
      return status >= 300 && status < 400
        ? `${name} sends its clients elsewhere (${status}), where rbee does not follow.`
        : `${name} failed (${status})${said}`;
  }
}

const suggestions: Partial<Record<ErrorCode, string>> = {
  forbidden: "Let that server answer this machine without a key.",
  model_not_found: "Ask for another model, or get it back on that server.",
  worker_crashed: "Look into that server's log on its machine.",
};

function secondsOf(retryAfter: string | undefined): number {
  const seconds = Number(retryAfter ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(mostRetryS, seconds) : usualRetryS;
}

/** A refusal of somebody else's server as an error of ours: our code, its words. */
export function foreignRefusal({ status, text, retryAfter }: Told, server: ForeignServer): RbeeError {
  const complaint = complaintIn(text);
  const code = codeOf(status, complaint);
  const waits = code === "worker_busy" || code === "model_loading";
  return new RbeeError(code, sentenceOf(code, status, server, complaint.words), {
    param: code === "model_not_found" ? "model" : complaint.param,
    details: { engine: server.engine, server: server.name, status },
    ...(suggestions[code] === undefined ? {} : { suggestion: suggestions[code] }),
    ...(waits ? { retryAfterS: secondsOf(retryAfter) } : {}),
  });
}

/** Whether what somebody else's server said is an error. Some say that there is none. */
export function tellsError(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { error, object } = value as { error?: unknown; object?: unknown };
  return (error !== undefined && error !== null) || object === "error";
}

/** What a hive says itself at the end of a stream that was cut off. No other server uses these words as codes. */
const toldByHive: ReadonlySet<string> = new Set<ErrorCode>(["worker_crashed", "worker_busy", "worker_stalled"]);

/** An error that was told within a stream: by somebody else's server, or by the hive in front of it. */
export function foreignFault(value: unknown, server: ForeignServer): RbeeError {
  const ours = errorBodySchema.safeParse(value).data;
  if (ours !== undefined && toldByHive.has(ours.error.code)) return RbeeError.fromBody(ours, "worker_crashed");
  const complaint = complaintOf(value);
  const code = speaksOfContext.test(`${complaint.hints} ${complaint.words}`)
    ? "context_length_exceeded"
    : "worker_crashed";
  return new RbeeError(
    code,
    code === "context_length_exceeded"
      ? sentenceOf(code, 400, server, complaint.words)
      : `${server.name} broke off its answer${complaint.words === "" ? "." : `: ${complaint.words}`}`,
    { details: { engine: server.engine, server: server.name }, suggestion: suggestions[code] },
  );
}

/** Somebody else's server stopped in the middle of a stream as if it were the end. */
export const noEndOf = ({ name, engine }: ForeignServer): RbeeError =>
  new RbeeError("worker_crashed", `${name} ended its answer before it was complete.`, {
    details: { engine, server: name },
    suggestion: suggestions.worker_crashed,
  });

/** Somebody else's server said what no server of models says. */
export const noAnswerOf = ({ name, engine }: ForeignServer): RbeeError =>
  new RbeeError("worker_crashed", `${name} answered something that is no answer of a model.`, {
    details: { engine, server: name },
    suggestion: "Check that what runs at that address is a server of models.",
  });

/** Somebody else's server answered a request for a stream with one piece of JSON: what it complains of there, if it does. */
export function foreignUnstreamed(text: string, server: ForeignServer): RbeeError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  return tellsError(value) ? foreignFault(value, server) : noAnswerOf(server);
}

/** Somebody else's server has not begun an answer for so long, in milliseconds, that it will not. */
export const stalledOf = ({ name, engine }: ForeignServer, limitMs: number): RbeeError =>
  new RbeeError("worker_stalled", `${name} has given no answer for ${Math.round(limitMs / 60_000)} minutes.`, {
    details: { engine, server: name },
    suggestion: "Look whether that server hangs, or ask for a stream or a shorter answer.",
  });
