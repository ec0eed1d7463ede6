/** What the doctor found about one thing. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  /** How to mend it. */
  readonly remedy?: string;
}

export const ok = (name: string, detail: string): Finding => ({ name, state: "ok", detail });
export const warn = (name: string, detail: string, remedy: string): Finding => ({
  name,
  state: "warn",
  detail,
  remedy,
});
export const fail = (name: string, detail: string, remedy: string): Finding => ({
  name,
  state: "fail",
  detail,
  remedy,
});

/** One look at one thing; several findings when there are several of it. */
export interface Check {
  readonly name: string;
  readonly look: (signal: AbortSignal) => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;
}

const limitMs = 20_000;

/** Makes a look. It never throws and never takes longer than its limit: what cannot be looked at is a finding, too. */
export async function findings({ name, look }: Check): Promise<readonly Finding[]> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      limit.abort();
      resolve(
        warn(name, `could not be looked at within ${limitMs / 1_000} s`, "Try again when the machine is less busy."),
      );
    }, limitMs);
  });
  try {
    const found = await Promise.race([look(limit.signal), late]);
    return Array.isArray(found) ? (found as readonly Finding[]) : [found as Finding];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [warn(name, `could not be looked at: ${reason}`, "Look at what the message names, then try again.")];
  } finally {
    clearTimeout(timer);
  }
}
