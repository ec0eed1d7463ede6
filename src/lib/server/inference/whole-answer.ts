import { RbeeError, timingsSchema, type Timings } from "@rbee/contract";
import * as z from "zod";
import { noAnswerOf, noEndOf, type ForeignServer } from "./foreign/index.ts";
import type { TokenCounts } from "./metering.ts";
import { brokenOff, type Upstream } from "./upstream.ts";

/** What the whole answers of a worker hold, one or the other. */
const substance = ["choices", "data", "tokens", "content", "input_tokens"];
/** What a whole answer counts. Embeddings have no timings. */
const answerSchema = z.object({
  timings: timingsSchema.optional().catch(undefined),
  usage: z.object({ prompt_tokens: z.int() }).nullable().optional().catch(undefined),
});

/** What came is none of the answers that a worker gives. */
export const noAnswer = (hiveName: string) =>
  new RbeeError("hive_invalid_response", `${hiveName} answered something that is no answer of a model.`);

/** What a whole answer counts. @throws {RbeeError} `hive_invalid_response` when it is none. */
export function countsOf(text: string, hiveName: string): TokenCounts | Timings | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw noAnswer(hiveName);
  }
  const answer = answerSchema.safeParse(value).data;
  if (answer === undefined || !substance.some((name) => Object.hasOwn(Object(value) as object, name)))
    throw noAnswer(hiveName);
  const { timings, usage } = answer;
  if (timings !== undefined) return timings;
  return usage === undefined || usage === null ? null : { cache_n: 0, prompt_n: usage.prompt_tokens, predicted_n: 0 };
}

/** No whole answer is longer. */
const longestWhole = 256 * 1024 * 1024;

/**
 * Reads an answer that is no stream to its end.
 * @throws {RbeeError} `hive_unreachable`, what its worker died of, or `hive_invalid_response` for one without an end.
 */
export function readWhole(upstream: Upstream, hiveName: string, foreign: ForeignServer | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    upstream.read({
      data(chunk) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes <= longestWhole) return;
        upstream.read(null);
        upstream.abort();
        reject(foreign === null ? noAnswer(hiveName) : noAnswerOf(foreign));
      },
      end() {
        resolve(Buffer.concat(chunks).toString("utf8"));
      },
      error(cause) {
        reject(foreign === null ? brokenOff(cause, hiveName) : noEndOf(foreign));
      },
    });
  });
}
