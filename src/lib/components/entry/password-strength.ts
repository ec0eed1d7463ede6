import { words } from "#lib/words/index.ts";

export const minLength = 8;

export interface Strength {
  level: "none" | "short" | "weak" | "fair" | "strong";
  /** 0 to 4, for the bar. */
  steps: number;
  text: string;
}

const say = words.entry.strength;
/** What people try first; anything built on these is guessed in no time. */
const common = [
  "password",
  "passwort",
  "qwerty",
  "letmein",
  "welcome",
  "iloveyou",
  "admin",
  "123456",
  "abc123",
  "rbee",
];

/** How many different signs a password has room for at each place. */
function alphabetOf(password: string): number {
  let size = 0;
  if (/\p{Ll}/u.test(password)) size += 26;
  if (/\p{Lu}/u.test(password)) size += 26;
  if (/\p{N}/u.test(password)) size += 10;
  if (/[^\p{L}\p{N}]/u.test(password)) size += 24;
  return size;
}

/** A plain hint while typing, by length and variety. The queen's own rule is only the length. */
export function strengthOf(password: string, name = ""): Strength {
  const length = [...password].length;
  if (length === 0) return { level: "none", steps: 0, text: say.rule };
  if (length < minLength) return { level: "short", steps: 1, text: say.tooShort(minLength - length) };
  const lower = password.toLowerCase();
  const isBuiltOnKnown =
    common.some((word) => lower.includes(word)) || (name.length > 2 && lower.includes(name.toLowerCase()));
  const distinct = new Set(lower).size;
  const bits = Math.min(length, distinct * 1.5) * Math.log2(Math.max(2, alphabetOf(password)));
  const penalised = isBuiltOnKnown ? bits / 2 : bits;
  if (penalised < 45) return { level: "weak", steps: 2, text: say.weak };
  if (penalised < 75) return { level: "fair", steps: 3, text: say.fair };
  return { level: "strong", steps: 4, text: say.strong };
}
