import {
  RbeeError,
  type Embeddings,
  type EmbeddingsRequest,
  type ollamaEmbedAnswerSchema,
  type OllamaEmbedRequest,
} from "@rbee/contract";
import type * as z from "zod";

/** The embeddings request that `POST /api/embed` stands for. */
export function embeddingsOf({ model, input, dimensions }: OllamaEmbedRequest): EmbeddingsRequest {
  return {
    model,
    input,
    encoding_format: "float",
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

/**
 * The same vectors in Ollama's shape. `startedAt` is by `performance.now()`; what loading took is not known
 * apart, and left out. @throws {RbeeError} `hive_invalid_response` for vectors that are not the numbers asked for.
 */
export function embedAnswer(
  { data, usage }: Embeddings,
  { model, startedAt }: { model: string; startedAt: number },
): z.infer<typeof ollamaEmbedAnswerSchema> {
  return {
    model,
    embeddings: data.map(({ embedding }) => {
      if (typeof embedding !== "string") return embedding;
      throw new RbeeError("hive_invalid_response", "The worker gave vectors as text, not as numbers.");
    }),
    total_duration: Math.round((performance.now() - startedAt) * 1e6),
    ...(usage === null ? {} : { prompt_eval_count: usage.prompt_tokens }),
  };
}
