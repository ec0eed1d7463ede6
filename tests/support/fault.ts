import { errorBodySchema, errorCatalogue, RbeeError, type ErrorBody, type ErrorCode } from "@rbee/contract";
import { expect } from "vitest";
import type { Household } from "./household.ts";
import { rbee } from "./rbee.ts";

/** What a person must be told about a fault. */
export interface Fault {
  readonly code: ErrorCode;
  readonly message: RegExp;
  readonly suggestion: RegExp;
  readonly param?: string;
  /** Part of the details. */
  readonly details?: Readonly<Record<string, unknown>>;
}

type Told = ErrorBody["error"];

/** Whatever was told (an answer, the last event of a stream or of a job, what a client threw) tells this fault. */
export function expectFault(told: unknown, { code, message, suggestion, ...rest }: Fault): Told {
  const error = told instanceof RbeeError ? told.toBody().error : told;
  expect(error).toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
    suggestion: expect.stringMatching(suggestion) as string,
    ...rest,
  });
  return error as Told;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly error: Told;
}

/** An HTTP answer that must be an error in the one shape, with its code's own status. */
export async function errorAnswer(response: Response): Promise<ErrorAnswer> {
  const text = await response.text();
  expect(response.headers.get("content-type"), text).toBe("application/json");
  const { error } = errorBodySchema.parse(JSON.parse(text));
  expect([error.code, response.status]).toEqual([error.code, errorCatalogue[error.code as ErrorCode]?.status]);
  return { status: response.status, headers: response.headers, error };
}

/** Whole seconds in `Retry-After`, which must be there. */
export function retryAfterS(headers: Headers): number {
  const text = headers.get("retry-after");
  expect(text).toMatch(/^[1-9]\d*$/u);
  return Number(text);
}

/** The error that a promise ends with; it must not be fulfilled. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`it did not fail: ${JSON.stringify(value)?.slice(0, 500)}`);
    },
    (error: unknown) => error,
  );
}

const plain = (text: string) => text.replaceAll(/\s+/gu, " ");

/** The command line fails with exit code 1 and shows what was told: the message, and what to do about it. */
export async function expectCommandFault(household: Household, args: readonly string[], fault: Fault): Promise<string> {
  const { exitCode, stderr } = await rbee(household, args);
  expect(stderr).toMatch(/^error {4}\S/mu);
  const shown = plain(stderr.slice(stderr.search(/^error {4}/mu)));
  expect([exitCode, shown]).toEqual([1, expect.stringMatching(fault.message)]);
  expect(shown).toMatch(fault.suggestion);
  return stderr;
}

/** As `expectCommandFault`, for a command that is a job, which must have failed with the same error. */
export async function expectJobFault(household: Household, args: readonly string[], fault: Fault): Promise<Told> {
  await expectCommandFault(household, args, fault);
  const job = (await household.admin.listJobs()).data[0];
  expect(job).toMatchObject({ state: "failed", started_by: expect.any(String) as string });
  return expectFault(job?.error, fault);
}
