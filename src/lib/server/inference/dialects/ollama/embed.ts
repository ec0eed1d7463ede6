import type { Embeddings, EmbeddingsRequest, ollamaEmbedAnswerSchema, OllamaEmbedRequest } from "@rbee/contract";
import type { z } from "zod";

/** The embeddings request that `POST /api/embed` stands for. */
export function embeddingsOf({ model, input, dimensions }: OllamaEmbedRequest): EmbeddingsRequest {
  return {
    model,
    input,
    encoding_format: "float",
    ...(dimensions === undefined ? {} : { dimensions }),
  };
}

/** The same vectors in Ollama's shape. `startedAt` is by `performance.now()`; what loading took is not known apart. */
export function embedAnswer(
  { data, usage }: Embeddings,
  { model, startedAt }: { model: string; startedAt: number },
): z.infer<typeof ollamaEmbedAnswerSchema> {
  return {
    model,
    embeddings: data.map(({ embedding }) => (typeof embedding === "string" ? [] : embedding)),
    total_duration: Math.round((performance.now() - startedAt) * 1e6),
    load_duration: 0,
    prompt_eval_count: usage.prompt_tokens,
  };
}
