import { LlamaVocabularyType, type LlamaModel } from "node-llama-cpp";
import type { Piece, TokenizeOptions, Vocabulary } from "./engine.ts";
import type { NativeModel } from "./native.ts";
import { isByteOfNoText, tokenAttribute, tokenBytes, type VocabularyKind } from "./token-bytes.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function wholeText(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

const kinds: Partial<Record<LlamaVocabularyType, VocabularyKind>> = {
  [LlamaVocabularyType.bpe]: "bpe",
  [LlamaVocabularyType.spm]: "spm",
  [LlamaVocabularyType.ugm]: "spm",
  [LlamaVocabularyType.plamo2]: "spm",
};

/** The vocabulary of a loaded model. Pieces are worked out when a token first appears, then kept. */
export function createVocabulary(model: LlamaModel, native: NativeModel): Vocabulary {
  const kind = kinds[model.vocabularyType] ?? "other";
  const size = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
  const markers: string[] = [];
  const markerTokens = new Set<number>();
  for (let token = 0; token < size; token++) {
    const special = tokenAttribute.control | tokenAttribute.unknown;
    if ((native.getTokenAttributes(token) & special) === 0) continue;
    const text = native.getTokenString(token);
    if (text === undefined || text === "") continue;
    markers.push(text);
    markerTokens.add(token);
  }
  const pieces = new Array<Piece | undefined>(size);

  const makePiece = (token: number): Piece => {
    const bytes =
      kind === "other"
        ? new TextEncoder().encode(native.detokenize(Uint32Array.of(token), false))
        : tokenBytes(kind, native.getTokenString(token) ?? "", native.getTokenAttributes(token));
    return { bytes, text: wholeText(bytes) };
  };

  const bytesOfNoText = model.fileInfo.metadata.tokenizer.ggml.tokens.flatMap((text, token) =>
    isByteOfNoText(kind, text) ? [token] : [],
  );
  const { prefix, suffix, middle } = model.tokens.infill;
  return {
    size,
    markers,
    bosToken: model.tokens.bos,
    bosText: model.tokens.bosString ?? "",
    eosText: model.tokens.eosString ?? "",
    prependsBos: model.tokens.shouldPrependBosToken,
    tokenize: (text: string, options: TokenizeOptions) =>
      options.continued && kind === "spm"
        ? model.tokenize(text, options.markers, "trimLeadingSpace")
        : Array.from(native.tokenize(text, options.markers)),
    piece: (token) => (pieces[token] ??= makePiece(token)),
    shownPiece(token) {
      if (!markerTokens.has(token)) return (pieces[token] ??= makePiece(token));
      const text = native.getTokenString(token) ?? "";
      return { bytes: new TextEncoder().encode(text), text };
    },
    bytesOfNoText,
    isMarker: (token) => markerTokens.has(token),
    infill: prefix === null || suffix === null || middle === null ? null : { prefix, suffix, middle },
    endsAnswer: (token) => model.isEogToken(token as Parameters<LlamaModel["isEogToken"]>[0]),
  };
}
