import "./web-classes.ts";
import { helpText, loadConfig, parseCommandLine } from "./config.ts";
import { explain, runHive } from "./run.ts";
import { version } from "./version.ts";

try {
  const command = parseCommandLine(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      process.stdout.write(helpText());
      break;
    case "version":
      process.stdout.write(`rbee-hive ${version}\n`);
      break;
    case "run":
      await runHive(loadConfig(command.flags));
  }
} catch (error) {
  explain(error);
}
