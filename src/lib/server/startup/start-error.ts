/** Why the queen cannot start, in one line for the terminal. */
export class StartError extends Error {
  override readonly name = "StartError";
}
