import { expect, it } from "vitest";
import { Shared } from "./making.ts";

/** Work that ends when the test says so, or when it is aborted. */
function controlled() {
  const started: { finish(value: string): void; tell(progress: number): void; signal: AbortSignal }[] = [];
  const work = (signal: AbortSignal, tell: (progress: number) => void) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    signal.addEventListener("abort", () => {
      reject(new Error("aborted inside"));
    });
    started.push({ finish: resolve, tell, signal });
    return promise;
  };
  return { started, work };
}

it("two who ask for the same share one piece of work and hear of its progress", async () => {
  const shared = new Shared<string, number>();
  const { started, work } = controlled();
  const heard: string[] = [];
  const first = shared.do("a", work, (n) => heard.push(`first ${n}`));
  const second = shared.do("a", work, (n) => heard.push(`second ${n}`));
  const other = shared.do("b", work, () => {});
  expect(started).toHaveLength(2);
  started[0]?.tell(1);
  started[0]?.finish("done");
  started[1]?.finish("other");
  expect(await Promise.all([first, second, other])).toEqual(["done", "done", "other"]);
  expect(heard).toEqual(["first 1", "second 1"]);
});

it("work goes on when one of two leaves, and is aborted when both did", async () => {
  const shared = new Shared<string, number>();
  const { started, work } = controlled();
  const [a, b] = [new AbortController(), new AbortController()];
  const first = shared.do("a", work, () => {}, a.signal);
  const second = shared.do("a", work, () => {}, b.signal);
  a.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect(started[0]?.signal.aborted).toBe(false);
  b.abort(new Error("me too"));
  await expect(second).rejects.toThrow("me too");
  expect(started[0]?.signal.aborted).toBe(true);
});

it("two who leave by one signal abort the work, and whoever asks next starts anew", async () => {
  const shared = new Shared<string, number>();
  const { started, work } = controlled();
  const stop = new AbortController();
  const both = [shared.do("a", work, () => {}, stop.signal), shared.do("a", work, () => {}, stop.signal)];
  stop.abort(new Error("enough"));
  const next = shared.do("a", work, () => {});
  for (const one of both) await expect(one).rejects.toThrow("enough");
  expect(started).toHaveLength(2);
  started[1]?.finish("again");
  expect(await next).toBe("again");
});
