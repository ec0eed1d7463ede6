import type { ErrorBody } from "@rbee/contract";
import { words } from "#lib/words/index.ts";

/** A refusal of the queen's, or that she could not be asked. */
export class RequestProblem extends Error {
  override readonly name = "RequestProblem";
  readonly code: string;
  readonly suggestion: string | undefined;
  readonly param: string | undefined;

  constructor(code: string, message: string, suggestion?: string, param?: string) {
    super(message);
    this.code = code;
    this.suggestion = suggestion;
    this.param = param;
  }
}

/** Asks the queen something, with the session of the page. Nothing for an empty answer. @throws {RequestProblem} */
export async function askQueen(method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new RequestProblem("queen_unreachable", words.frame.error.offline);
  }
  const answer = (await response.json().catch(() => null)) as unknown;
  if (response.ok) return answer;
  const error = (answer as Partial<ErrorBody> | null)?.error;
  if (error === undefined) throw new RequestProblem("internal_error", words.frame.error.offline);
  throw new RequestProblem(error.code, error.message, error.suggestion, error.param ?? undefined);
}
