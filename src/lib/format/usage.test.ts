import type { UsageRow } from "@rbee/contract";
import { expect, it } from "vitest";
import { todayByPerson } from "./usage.ts";

const row = (user: string, change: Partial<UsageRow> = {}): UsageRow => ({
  request_id: "r",
  user,
  key_name: null,
  model: "bee-tiny",
  hive_id: null,
  started_at: 0,
  duration_ms: 100,
  time_to_first_token_ms: 10,
  prompt_tokens: 10,
  cached_tokens: 0,
  completion_tokens: 5,
  status: 200,
  error_code: null,
  ...change,
});

it("sums each person's requests, the busiest first, and counts a cancelled one as no failure", () => {
  const rows = [row("Ada"), row("Bo", { status: 500 }), row("Bo", { status: 499 }), row("Bo")];
  expect(todayByPerson(rows)).toEqual([
    { user: "Bo", requests: 3, promptTokens: 30, completionTokens: 15, failed: 1 },
    { user: "Ada", requests: 1, promptTokens: 10, completionTokens: 5, failed: 0 },
  ]);
});
