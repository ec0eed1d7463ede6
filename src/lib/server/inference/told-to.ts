import { lastWordsMark, RbeeError } from "@rbee/contract";
import type { Person } from "#lib/server/accounts/index.ts";

/** A message without the lines that a process logged before it ended: these tell of its machine. */
export const withoutLog = (message: string): string => message.split(lastWordsMark)[0] ?? message;

/** What was thrown as this person may read it: what a process logged is for administrators. */
export function toldTo({ user }: Pick<Person, "user">, thrown: unknown): unknown {
  if (user.role === "admin" || !(thrown instanceof RbeeError)) return thrown;
  const { last_lines: lines, ...details } = thrown.details ?? {};
  if (lines === undefined) return thrown;
  return new RbeeError(thrown.code, withoutLog(thrown.message), {
    param: thrown.param,
    details,
    suggestion: "Ask an administrator to look into the worker's log.",
    retryAfterS: thrown.retryAfterS,
    cause: thrown,
  });
}
