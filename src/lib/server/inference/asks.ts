import type {
  ChatRequest,
  CompletionRequest,
  DetokenizeRequest,
  EmbeddingsRequest,
  TokenizeRequest,
} from "@rbee/contract";

/** What a worker is asked, whichever endpoint it is for. */
export interface Ask {
  /** Of the worker's own API. */
  readonly path: string;
  readonly model: string;
  /** Whether the answer is a stream. */
  readonly stream: boolean;
  readonly body: object;
  /** Tokens that it may cost, as far as one can tell without the model's own tokens. */
  readonly cost: number;
  /** Whether it counts as somebody's usage. */
  readonly metered: boolean;
}

/** What is asked goes on from what was said before, and may be gone on with. */
export const isConversation = ({ path }: Ask): boolean => path === "/v1/chat/completions" || path === "/v1/completions";

/** An answer of which nobody said how long it may be. */
const usualAnswerTokens = 256;
/** What the completions API answers when nobody says. */
const usualCompletionTokens = 16;
const bytesPerToken = 4;

const tokensIn = (text: string): number => Math.ceil(text.length / bytesPerToken);

const tokensOf = (content: ChatRequest["messages"][number]["content"]): number =>
  typeof content === "string" ? tokensIn(content) : tokensIn(JSON.stringify(content ?? ""));

export function chatAsk(chat: ChatRequest): Ask {
  const { model, messages, max_tokens, max_completion_tokens, n } = chat;
  const prompt = messages.reduce((sum, { content }) => sum + tokensOf(content), 0);
  const answer = max_completion_tokens ?? max_tokens ?? usualAnswerTokens;
  return {
    path: "/v1/chat/completions",
    model,
    stream: chat.stream === true,
    body: chat,
    cost: prompt + answer * (n ?? 1),
    metered: true,
  };
}

/** Only how long a chat's prompt is; nothing is computed for it. */
export const countAsk = (chat: ChatRequest): Ask => ({
  path: "/v1/chat/completions/input_tokens",
  model: chat.model,
  stream: false,
  body: chat,
  cost: 1,
  metered: false,
});

const isNumbers = (value: readonly unknown[]): value is readonly number[] => typeof value[0] === "number";

/** Tokens and number of texts in a field that holds one text or several, each as text or as tokens. */
function inputOf(input: CompletionRequest["prompt"]): { tokens: number; count: number } {
  if (typeof input === "string") return { tokens: tokensIn(input), count: 1 };
  if (isNumbers(input)) return { tokens: input.length, count: 1 };
  const tokens = input.reduce((sum, one) => sum + (typeof one === "string" ? tokensIn(one) : one.length), 0);
  return { tokens, count: input.length };
}

export function completionAsk(request: CompletionRequest): Ask {
  const { model, prompt, max_tokens, n } = request;
  const { tokens, count } = inputOf(prompt);
  return {
    path: "/v1/completions",
    model,
    stream: request.stream === true,
    body: request,
    cost: tokens + count * (max_tokens ?? usualCompletionTokens) * (n ?? 1),
    metered: true,
  };
}

export const embeddingsAsk = (request: EmbeddingsRequest): Ask => ({
  path: "/v1/embeddings",
  model: request.model,
  stream: false,
  body: request,
  cost: inputOf(request.input).tokens,
  metered: true,
});

export const tokenizeAsk = (model: string, request: TokenizeRequest): Ask => ({
  path: "/v1/tokenize",
  model,
  stream: false,
  body: request,
  cost: 1,
  metered: false,
});

export const detokenizeAsk = (model: string, request: DetokenizeRequest): Ask => ({
  path: "/v1/detokenize",
  model,
  stream: false,
  body: request,
  cost: 1,
  metered: false,
});
