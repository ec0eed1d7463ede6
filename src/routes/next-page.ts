/**
 * Where to go after signing in: a path of this site, never another site's address.
 * Browsers read a backslash as a slash and drop control characters, so both are refused.
 */
export function nextPage(asked: string | null | undefined): string {
  if (asked === null || asked === undefined) return "/";
  if (!/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(asked)) return "/";
  return /^\/(login|setup)(?:[/?#]|$)/u.test(asked) ? "/" : asked;
}
