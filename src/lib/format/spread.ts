import type { SpreadPart } from "@rbee/contract";

/** `attic 60 % + cellar 40 %`: the contract's own would bring all of it to the browser. */
export const spreadText = (spread: readonly Pick<SpreadPart, "name" | "share">[]): string =>
  spread.map(({ name, share }) => `${name} ${Math.round(share * 100)} %`).join(" + ");
