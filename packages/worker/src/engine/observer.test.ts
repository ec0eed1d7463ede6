import { expect, it } from "vitest";
import type { NativeContext, NativeSampler } from "./native.ts";
import { LlamaObserver } from "./observer.ts";

it("keeps nothing of the token before when a look fails", async () => {
  const sampler = { applyConfig: () => {}, dispose: () => {} } as unknown as NativeSampler;
  const observer = new LlamaObserver(1, () => sampler);
  const sees = { sampleToken: () => Promise.resolve([7, [7, 0.5], 0.5]) } as unknown as NativeContext;
  await observer.look(sees, 0, 7);
  expect(observer.last?.logprob).toBeCloseTo(Math.log(0.5));
  const fails = { sampleToken: () => Promise.reject(new Error("out of luck")) } as unknown as NativeContext;
  await expect(observer.look(fails, 0, 7)).rejects.toThrow("out of luck");
  expect(observer.last).toBeNull();
});
