/** How a model marks what it thinks before it answers. */
export interface ReasoningMarkers {
  readonly open: string;
  readonly close: string;
}

const knownMarkers: readonly ReasoningMarkers[] = [
  { open: "<think>", close: "</think>" },
  { open: "[THINK]", close: "[/THINK]" },
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
  { open: "<seed:think>", close: "</seed:think>" },
];

/** The markers of a model that thinks, from its chat template; null for all others. */
export function reasoningOf(template: string | null): ReasoningMarkers | null {
  if (template === null) return null;
  return knownMarkers.find(({ close }) => template.includes(close)) ?? null;
}

/** Whether a rendered prompt ends inside the thoughts, so that the answer begins there. */
export function opensReasoning(promptEnd: string, markers: ReasoningMarkers): boolean {
  return promptEnd.trimEnd().endsWith(markers.open);
}
