import type { DetokenizeRequest, TokenizeAnswer, TokenizeRequest } from "@rbee/contract";
import type { Vocabulary } from "../engine/engine.ts";
import { checkTokens, textOfTokens } from "./completion-plan.ts";

/** Text to tokens, as llama-server does it. */
export function tokenize(request: TokenizeRequest, vocabulary: Vocabulary): TokenizeAnswer {
  const { content, add_special: special, parse_special: markers, with_pieces: pieces } = request;
  const body = content === "" ? [] : vocabulary.tokenize(content, { markers, continued: false });
  const { bosToken, prependsBos } = vocabulary;
  const tokens = special && prependsBos && bosToken !== null && body[0] !== bosToken ? [bosToken, ...body] : body;
  if (!pieces) return { tokens };
  return {
    tokens: tokens.map((id) => {
      const { text, bytes } = vocabulary.shownPiece(id);
      return { id, piece: text ?? Array.from(bytes) };
    }),
  };
}

/**
 * Tokens to text.
 * @throws {RbeeError} `invalid_request` for a token that the model does not have.
 */
export function detokenize(request: DetokenizeRequest, vocabulary: Vocabulary): { content: string } {
  return { content: textOfTokens(checkTokens(request.tokens, vocabulary, "tokens"), vocabulary) };
}
