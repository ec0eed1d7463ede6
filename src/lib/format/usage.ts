import type { UsageRow } from "@rbee/contract";

export interface PersonUse {
  user: string;
  requests: number;
  promptTokens: number;
  completionTokens: number;
  failed: number;
}

/** Status of a request whose asker left before the end; that is their choice, not a failure. */
export const cancelledStatus = 499;

/** Sums requests by person, the busiest first. */
export function todayByPerson(rows: readonly UsageRow[]): PersonUse[] {
  const sums = new Map<string, PersonUse>();
  for (const row of rows) {
    const sum = sums.get(row.user) ?? { user: row.user, requests: 0, promptTokens: 0, completionTokens: 0, failed: 0 };
    sum.requests += 1;
    sum.promptTokens += row.prompt_tokens ?? 0;
    sum.completionTokens += row.completion_tokens ?? 0;
    if (row.status >= 400 && row.status !== cancelledStatus) sum.failed += 1;
    sums.set(row.user, sum);
  }
  return [...sums.values()].sort((a, b) => b.requests - a.requests || a.user.localeCompare(b.user));
}
