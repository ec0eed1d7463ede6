import { toast } from "svelte-sonner";
import { words } from "#lib/words/index.ts";

/**
 * Puts text on the clipboard and says whether it worked. A dashboard on plain HTTP has no clipboard API, so the
 * old way through a selected field stays as the second try.
 */
export async function copyText(text: string): Promise<boolean> {
  const copied = await throughApi(text);
  if (copied || throughSelection(text)) return true;
  toast.error(words.frame.actions.copyFailed);
  return false;
}

async function throughApi(text: string): Promise<boolean> {
  if (!window.isSecureContext) return false;
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}

function throughSelection(text: string): boolean {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.readOnly = true;
  field.style.position = "fixed";
  field.style.opacity = "0";
  // Inside an open dialog the focus is trapped: a field outside of it could not be selected.
  (before?.closest("[role='dialog'],[role='alertdialog']") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}
