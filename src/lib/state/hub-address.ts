/**
 * The dashboard's page of a repository.
 * @param named `org/repo`, or a reference into it such as `hf:org/repo:Q4_K_M`.
 * @param context tokens to fit with, if chosen.
 */
export function hubHref(named: string, context: number | null = null): string {
  const [owner = "", name = ""] = named.replace(/^hf:/u, "").split(/[/:@]/u);
  const query = context === null ? "" : `?context=${context}`;
  return `/hub/${encodeURIComponent(owner)}/${encodeURIComponent(name)}${query}`;
}
