import { TransferError, type Answer, type Origin } from "./http.ts";

/** `Retry-After` in seconds, whether it is a number or a date; undefined when it is neither. */
export function retryAfterS(value: string | undefined, now: number): number | undefined {
  if (value === undefined || value.trim() === "") return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1_000);
}

/** What an answer that is not a success means. @param what is asked for, as a person would call it. */
export function refusalOf(answer: Answer, origin: Origin, what: string, now: number): TransferError {
  const { status, headers } = answer;
  // The hub answers 401 also for what does not exist, and says so here.
  const reason = headers["x-error-code"];
  const missing = reason === "RepoNotFound" || reason === "RevisionNotFound" || reason === "EntryNotFound";
  if (status === 404 || status === 410 || ((status === 401 || status === 403) && missing))
    return new TransferError(false, "download_not_found", `${origin.name} has no ${what}.`, {
      param: "model",
      suggestion:
        origin.token === undefined && origin.kind === "hub"
          ? "Check the spelling; if the model is private, set HF_TOKEN on the hive."
          : "Check the spelling.",
    });
  if (status === 401 || status === 403)
    return new TransferError(false, "download_forbidden", `${origin.name} refuses ${what}.`, {
      suggestion:
        origin.kind === "hive"
          ? "The leave to fetch it there has run out."
          : origin.token === undefined
            ? "Ask for access on the model's page if it wants that, then set HF_TOKEN on the hive to a token that may read it."
            : "The HF_TOKEN of this hive may not read it: ask for access on the model's page, or set HF_TOKEN to one that may.",
    });
  if (status === 429)
    return new TransferError(true, "download_failed", `${origin.name} asks for patience (429).`, {
      suggestion: "Try again later; what is here is kept.",
      retryAfterS: retryAfterS(headers["retry-after"], now),
    });
  const again = status >= 500 || status === 408 || status === 416;
  return new TransferError(again, "download_failed", `${origin.name} answered ${status} for ${what}.`, {
    suggestion: again ? "Try again later; what is here is kept." : undefined,
    retryAfterS: again ? retryAfterS(headers["retry-after"], now) : undefined,
  });
}
