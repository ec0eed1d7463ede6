import { RbeeError } from "@rbee/contract";
import type { FormProblem } from "#lib/components/ui/submit.ts";

/** What a page asked for and may have to do without. */
export type Asked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: FormProblem };

/**
 * Something that a page shows as soon as it comes, and whose failure is shown in its place rather than instead of the
 * page. It never rejects for a refusal that people can read, nor when the reader has left; a fault of ours goes on to
 * the log.
 * @param signal ends with the reader.
 */
export async function asked<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await run(signal) };
  } catch (thrown) {
    if (signal.aborted) return { ok: false, problem: { code: "request_cancelled", message: "" } };
    if (!(thrown instanceof RbeeError) || thrown.code === "internal_error") throw thrown;
    const { code, message, suggestion, param, retryAfterS } = thrown;
    return { ok: false, problem: { code, message, suggestion, param, retryAfterS } };
  }
}
