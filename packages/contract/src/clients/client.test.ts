import { describe, expect, it } from "vitest";
import { queenClient } from "./index.ts";
import type { FetchLike } from "./client.ts";

/** A server that sends its headers and this much of its answer, and then nothing more. */
const stalling =
  (begin: string, status = 200): FetchLike =>
  (_, { signal }) =>
    Promise.resolve(
      new Response(
        new ReadableStream<Uint8Array>({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(begin));
            signal?.addEventListener("abort", () => {
              controller.error(signal.reason);
            });
          },
        }),
        { status },
      ),
    );
const client = (fetch: FetchLike) => queenClient({ baseUrl: "http://queen", fetch, timeoutMs: 30 });

describe("a call's time limit", () => {
  it("counts for the body too, whether it is an answer or an error", async () => {
    for (const fetch of [stalling('{"id":'), stalling('{"error":', 500)])
      await expect(client(fetch).me()).rejects.toMatchObject({
        code: "queen_unreachable",
        message: expect.stringContaining("No answer within 0.03 s") as string,
      });
  });

  it("does not end a stream that has begun", async () => {
    const response = await client(stalling("data: 1\n\n")).raw.fleetStream({});
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("data: 1\n\n");
    const more = reader?.read().then(
      () => "more",
      () => "broken off",
    );
    const later = new Promise((resolve) => setTimeout(resolve, 80, "still open"));
    expect(await Promise.race([more, later])).toBe("still open");
  });

  it("gives way to the caller's own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = client(stalling("{")).me({ signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });
});
