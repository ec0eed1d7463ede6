import type { ClientOptions } from "./client.ts";

/** What is said when the queen does not answer. */
export const noQueen = (baseUrl: string): ClientOptions["unreachable"] => ({
  code: "queen_unreachable",
  message: `The queen at ${baseUrl} does not answer.`,
  suggestion: "Start it with `npm start`, or name its address with --queen.",
});
