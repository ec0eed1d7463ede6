import type { Context } from "../command.ts";
import { UsageError } from "../failure.ts";
import { ask } from "./prompt.ts";

/**
 * Asks before something that cannot be undone, and says so when nothing is done.
 * @param why what is wrong when nobody can be asked.
 * @throws {UsageError} when nobody can be asked.
 */
export async function confirmed(
  { terminal, signal, narrate }: Pick<Context, "terminal" | "signal" | "narrate">,
  question: string,
  why: string,
): Promise<boolean> {
  if (!terminal.interactive || !terminal.lively) throw new UsageError(why, "Say so with --yes.");
  const isYes = /^y(?:es)?$/iu.test(await ask(`${question} yes or no: `, signal));
  if (!isYes) narrate("keeper", "nothing was done");
  return isYes;
}
