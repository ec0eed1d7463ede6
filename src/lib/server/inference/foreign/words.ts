/** Enough to know what went wrong; a server may send a whole page. */
const mostWords = 500;

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

/** What a server said went wrong, and its name for it, in whatever shape servers tell errors. */
export interface Complaint {
  readonly words: string;
  /** `code` and `type`, for what they hint at. */
  readonly hints: string;
  readonly param: string | undefined;
}

const bounded = (text: string): string => {
  const plain = text.replaceAll(/\p{Cc}+/gu, " ").trim();
  return plain.length > mostWords ? `${plain.slice(0, mostWords)}…` : plain;
};

const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? undefined : JSON.stringify(value);
};

/** Reads an error's value: OpenAI's, Ollama's (`{"error": "…"}`), vLLM's (`{"message": …}`), FastAPI's (`{"detail": …}`). */
export function complaintOf(value: unknown): Complaint {
  const outer = isFields(value) ? value : {};
  const inner = isFields(outer["error"]) ? outer["error"] : outer;
  const said = inner["message"] ?? outer["error"] ?? outer["detail"] ?? outer["message"];
  const { param, code, type } = inner;
  return {
    words: bounded(textOf(said) ?? ""),
    hints: [code, type].map((hint) => textOf(hint) ?? "").join(" "),
    param: typeof param === "string" && param.length <= 64 ? param : undefined,
  };
}

/** The same of an answer's text; a page is not worth telling. */
export function complaintIn(text: string): Complaint {
  try {
    return complaintOf(JSON.parse(text));
  } catch {
    return { words: /^\s*</u.test(text) ? "" : bounded(text), hints: "", param: undefined };
  }
}
