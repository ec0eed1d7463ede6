import { RbeeError, type Embeddings, type EmbeddingsRequest } from "@rbee/contract";
import type { Engine } from "../engine/engine.ts";
import { checkTokens, inputsOf } from "./completion-plan.ts";

function encoded(vector: Float32Array, format: EmbeddingsRequest["encoding_format"]): number[] | string {
  if (format !== "base64") return Array.from(vector);
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString("base64");
}

/**
 * Embeds all inputs. An aborted `signal` skips those that have not begun, and so does the failure of one.
 * @throws {RbeeError} `invalid_request`, `context_length_exceeded` or `insufficient_ram`.
 */
export async function embeddings(request: EmbeddingsRequest, engine: Engine, signal: AbortSignal): Promise<Embeddings> {
  const { embedder, vocabulary } = engine;
  const dimensions = request.dimensions ?? embedder.size;
  if (dimensions !== embedder.size) {
    throw new RbeeError(
      "invalid_request",
      `\`dimensions\`: the vectors of ${request.model} have ${embedder.size} numbers and cannot be shortened.`,
      { param: "dimensions", details: { dimensions: embedder.size } },
    );
  }
  const texts = inputsOf(request.input, "input").map(({ value, param }) => {
    const given =
      typeof value === "string"
        ? vocabulary.tokenize(value, { markers: false, continued: false })
        : checkTokens(value, vocabulary, param);
    const tokens = embedder.prepare(given);
    if (tokens.length > embedder.contextLength) {
      throw new RbeeError(
        "context_length_exceeded",
        `\`${param}\` has ${tokens.length} tokens, but the context of this model holds ${embedder.contextLength}.`,
        {
          param,
          details: { prompt_tokens: tokens.length, context_length: embedder.contextLength },
          suggestion: "Embed it in shorter pieces.",
        },
      );
    }
    return tokens;
  });
  const settled = new AbortController();
  const wanted = AbortSignal.any([signal, settled.signal]);
  let vectors: Float32Array[];
  try {
    vectors = await Promise.all(texts.map((tokens) => embedder.embed(tokens, wanted)));
  } finally {
    settled.abort();
  }
  const count = texts.reduce((sum, tokens) => sum + tokens.length, 0);
  return {
    object: "list",
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: encoded(vector, request.encoding_format),
    })),
    model: request.model,
    usage: { prompt_tokens: count, total_tokens: count },
  };
}
