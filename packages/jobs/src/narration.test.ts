import { expect, it } from "vitest";
import { createMemoryJobs, narrate, readJobEvents, silentLog, step } from "./index.ts";

it("what is told inside a step says which one it is", async () => {
  const jobs = createMemoryJobs({ processLog: silentLog, actor: "queen" });
  const { job_id } = jobs.run(
    { operation: "self_check", subject: "x", input: {}, startedBy: null, timeoutMs: 1_000 },
    async () => {
      narrate({ action: "outside", message: "no step" });
      await step("outer", { timeoutMs: 500 }, () =>
        step("inner", { timeoutMs: 500 }, () => {
          narrate({ action: "inside", message: "two steps", data: { found: 3 } });
        }),
      );
    },
  );
  const told: Record<string, unknown> = {};
  for await (const event of readJobEvents(jobs.stream(job_id)))
    if (event.type === "narration") told[event.action] = event.data;
  expect(told["outside"]).toBeUndefined();
  expect(told["inside"]).toEqual({ step_path: ["outer", "inner"], found: 3 });
});
