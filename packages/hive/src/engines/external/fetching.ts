import { Agent, request } from "undici";
import type { Target } from "./targets.ts";

/** How long a server may take to answer a small question. */
const answerLimitMs = 1_000;
/** No list of models is longer; a body that is gets no further. */
const longestBody = 1024 * 1024;

/** What a server said to a small question. */
export type Said =
  | { readonly kind: "json"; readonly value: unknown }
  /** Nobody listens there. */
  | { readonly kind: "refused" }
  /** No answer in time, or none that can be used: another status, a redirect, no JSON, too long. */
  | { readonly kind: "nothing"; readonly why: string };

// Its own connections, so that a server that hangs holds up nobody else. Redirects are not followed.
const agent = new Agent({ connect: { timeout: answerLimitMs }, keepAliveTimeout: 10_000, connections: 2 });

function codesOf(error: unknown): unknown[] {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf);
  return error instanceof Error ? [Reflect.get(error, "code")] : [];
}

/** Asks a server something. Never rejects, and takes about a second at most. */
export async function fetchJson({ url }: Pick<Target, "url">, path: string): Promise<Said> {
  const signal = AbortSignal.timeout(answerLimitMs);
  try {
    const { statusCode, body } = await request(`${url}${path}`, {
      method: "GET",
      headers: { accept: "application/json" },
      dispatcher: agent,
      signal,
    });
    if (statusCode !== 200) {
      await body.dump({ limit: longestBody, signal });
      return { kind: "nothing", why: `it answers ${statusCode}` };
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of body as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > longestBody) {
        body.destroy();
        return { kind: "nothing", why: "its answer has no end" };
      }
      parts.push(part);
    }
    return { kind: "json", value: JSON.parse(Buffer.concat(parts).toString("utf8")) };
  } catch (error) {
    if (codesOf(error).includes("ECONNREFUSED")) return { kind: "refused" };
    if (error instanceof SyntaxError) return { kind: "nothing", why: "its answer is no JSON" };
    return { kind: "nothing", why: signal.aborted ? "it does not answer in time" : "its answer cannot be read" };
  }
}
