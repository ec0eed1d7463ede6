import { applyAction } from "$app/forms";
import type { ActionResult, SubmitFunction } from "$app/forms";
import { toast } from "svelte-sonner";
import { words } from "#lib/words/index.ts";

/** What a failed form action hands back: see `routes/action-errors.ts`. */
export interface FormProblem {
  code: string;
  message: string;
  suggestion?: string | undefined;
  /** Name of the field that is wrong. */
  param?: string | undefined;
  retryAfterS?: number | undefined;
}

interface Options {
  busy?: (busy: boolean) => void;
  /** Passing note when it worked. */
  done?: string | undefined;
  /** Runs after success, with what the action returned. */
  after?: (data: Record<string, unknown> | undefined) => void;
  /** Keeps what was typed after success. */
  keep?: boolean;
  /** Shows failures as a passing note; otherwise the page shows `form.problem` itself. */
  toastProblems?: boolean;
}

const problemOf = (result: ActionResult): FormProblem | undefined =>
  result.type === "failure" ? (result.data as { problem?: FormProblem } | undefined)?.problem : undefined;

/** How every enhanced form submits: stays on the page, refreshes its data, and never fails silently. */
export function submitting({ busy, done, after, keep = false, toastProblems = true }: Options = {}): SubmitFunction {
  return () => {
    busy?.(true);
    return async ({ result, update }) => {
      busy?.(false);
      if (result.type === "success") {
        await update({ navigate: false, reset: !keep });
        if (done !== undefined) toast.success(done);
        after?.(result.data);
        return;
      }
      if (result.type === "redirect") {
        await applyAction(result);
        return;
      }
      if (result.type === "error") {
        // A queen that is away must not throw the page, and what was typed on it, away.
        toast.error(result.status === undefined ? words.frame.error.offline : result.error.message);
        return;
      }
      const problem = problemOf(result);
      if (toastProblems && problem !== undefined) toast.error(problem.message, { description: problem.suggestion });
      await update({ navigate: false, reset: false });
    };
  };
}
