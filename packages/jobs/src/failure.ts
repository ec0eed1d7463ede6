import { RbeeError, type ErrorBody, type ErrorCode, type RbeeErrorOptions } from "@rbee/contract";
import { firstLine, type Redactor } from "./redaction.ts";

const timeLimits = new WeakSet<Error>();

/** An error that says a time limit was passed: a job that fails with it ends as `timed_out`. */
export function timeLimitError(code: ErrorCode, message: string, options: RbeeErrorOptions = {}): RbeeError {
  return markTimeLimit(new RbeeError(code, message, options));
}

/** Makes an existing error one that says a time limit was passed. */
export function markTimeLimit(error: RbeeError): RbeeError {
  timeLimits.add(error);
  return error;
}

/** The error and everything that caused it, nearest first. */
function* causes(error: unknown): Generator<Error> {
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    yield at;
  }
}

/** Whether a time limit is behind this error. */
export function isTimeLimit(error: unknown): boolean {
  return [...causes(error)].some((cause) => timeLimits.has(cause));
}

/** Where an error came up. */
export interface FailureSite {
  steps: readonly string[];
  /** Set when it is not the job's own actor. */
  actor: string | undefined;
}

/** Which step each error came from. Errors themselves are left as they are, so that code can still tell them apart. */
export class FailureSites {
  readonly #sites = new WeakMap<Error, FailureSite>();

  /** Notes the step for an error, unless an inner step has; answers whether it did. */
  note(error: Error, site: FailureSite): boolean {
    if (this.of(error) !== undefined) return false;
    this.#sites.set(error, site);
    return true;
  }

  of(error: unknown): FailureSite | undefined {
    return [...causes(error)].map((cause) => this.#sites.get(cause)).find((site) => site !== undefined);
  }
}

/** What was thrown as an error that can be noted and passed on. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const words =
    typeof thrown === "string" && thrown.trim() !== ""
      ? thrown
      : `Something that is no error was thrown: ${preview(thrown)}`;
  return new Error(words);
}

function preview(thrown: unknown): string {
  if (typeof thrown === "function" || typeof thrown === "symbol") return typeof thrown;
  try {
    return String(JSON.stringify(thrown)).slice(0, 200);
  } catch {
    return typeof thrown;
  }
}

/**
 * What a person is told about something thrown. Codes of the catalogue keep their message, details and suggestion;
 * anything else is `internal_error` with its first line. The failing step stands in the message and in `details`;
 * secrets and stacks never do.
 */
export function describeFailure(
  thrown: unknown,
  context: { secrets: Redactor; sites: FailureSites },
): ErrorBody["error"] {
  const error = asError(thrown);
  const site = context.sites.of(error);
  const { message, details, ...body } = describe(error, context.secrets);
  const all = { ...siteDetails(site), ...details };
  return {
    ...body,
    message: `${sitePrefix(site, message)}${message}`,
    ...(Object.keys(all).length === 0 ? {} : { details: all }),
  };
}

function describe(error: Error, secrets: Redactor): ErrorBody["error"] {
  if (error instanceof RbeeError) {
    const { error: body } = error.toBody();
    return {
      ...body,
      message: secrets.text(body.message),
      ...(body.details === undefined ? {} : { details: secrets.record(body.details) }),
      ...(body.suggestion === undefined ? {} : { suggestion: secrets.text(body.suggestion) }),
    };
  }
  const { error: body } = new RbeeError("internal_error", wordsOf(error, secrets), {
    suggestion: "The log of the process that ran this job has the cause.",
  }).toBody();
  const inner = error instanceof AggregateError ? error.errors.map((each) => wordsOf(asError(each), secrets)) : [];
  const code: unknown = Reflect.get(error, "code");
  const details = {
    ...(typeof code === "string" || typeof code === "number" ? { cause_code: code } : {}),
    ...(inner.length === 0 ? {} : { errors: inner }),
  };
  return Object.keys(details).length === 0 ? body : { ...body, details };
}

/** Hides secrets in the whole text first: a key that spans lines is not one in its first line. */
function wordsOf(error: Error, secrets: Redactor): string {
  const words = firstLine(secrets.text(error.message));
  return words === "" ? `An unnamed ${error.name}.` : words;
}

function siteDetails(site: FailureSite | undefined): Record<string, unknown> {
  if (site === undefined) return {};
  return {
    step: site.steps.at(-1),
    step_path: [...site.steps],
    ...(site.actor === undefined ? {} : { actor: site.actor }),
  };
}

function sitePrefix(site: FailureSite | undefined, message: string): string {
  if (site === undefined) return "";
  const path = site.steps.join(" › ");
  const where = site.actor === undefined || message.includes(site.actor) ? path : `${path} on ${site.actor}`;
  return `${where}: `;
}
