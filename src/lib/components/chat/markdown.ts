import type { MarkedExtension } from "@humanspeak/svelte-markdown";

/**
 * A model's text is not to be trusted: HTML stays text (no tag is ever recognised), so it is shown as it was written
 * and never becomes part of the page.
 */
export const plainTextHtml: MarkedExtension[] = [{ tokenizer: { html: () => undefined, tag: () => undefined } }];

/** Links of the web and mail only: no `javascript:`, no `data:`, and no path of this dashboard. */
export function safeLink(url: string): string {
  try {
    return ["http:", "https:", "mailto:"].includes(new URL(url).protocol) ? url : "";
  } catch {
    return "";
  }
}
