import { CommanderError } from "commander";
import { createProgram } from "./program.ts";

// Somebody who reads only the start of our output, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has said what is wrong; help and version that were asked for are no failure.
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
