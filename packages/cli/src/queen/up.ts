import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { programRoot } from "../program-root.ts";

/** `rbee up`: what `npm start` does, in this process, so that Ctrl-C reaches the queen herself. */
export function up(parent: Command): void {
  parent
    .command("up [flags...]")
    .description("start the queen and this machine's hive; Ctrl-C stops them")
    .option("--json", "once she listens, say where as JSON, on one line")
    .allowUnknownOption()
    .addHelpText("after", "\nThe flags are those of `npm start -- --help`.\n\nExample:\n  $ rbee up --port 7000\n")
    .action(async (flags: string[], { json }: { json?: boolean }) => {
      if (json === true) process.env["RBEE_UP_JSON"] = "true";
      const script = join(programRoot, "scripts/start.js");
      process.argv = [process.execPath, script, ...flags];
      await import(pathToFileURL(script).href);
    });
}
