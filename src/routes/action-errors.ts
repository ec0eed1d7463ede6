import { RbeeError } from "@rbee/contract";
import { fail, isHttpError, isRedirect, type ActionFailure } from "@sveltejs/kit";
import type { FormProblem } from "#lib/components/ui/submit.ts";

/**
 * Runs what a form asks for. A refusal that a person can do something about goes back to the form;
 * a fault of ours goes on to the error page and the log.
 */
export async function attempt<T extends Record<string, unknown>>(
  run: () => T | Promise<T>,
): Promise<T | ActionFailure<{ problem: FormProblem }>> {
  try {
    return await run();
  } catch (thrown) {
    if (isRedirect(thrown) || isHttpError(thrown)) throw thrown;
    if (!(thrown instanceof RbeeError) || thrown.code === "internal_error") throw thrown;
    const { code, suggestion, param, retryAfterS, status } = thrown;
    return fail(status, { problem: { code, message: sentenceOf(thrown), suggestion, param, retryAfterS } });
  }
}

/** Beside its field a message needs no field name: `must not be empty` becomes `Must not be empty.` */
function sentenceOf({ param, message }: RbeeError): string {
  const named = param === undefined ? "" : `\`${param}\`: `;
  if (named === "" || !message.startsWith(named)) return message;
  const rest = message.slice(named.length);
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

/** A text field of a form; missing or a file counts as empty. */
export function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
