import { loadSettings, queenSettings } from "@rbee/settings";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { removeLogin } from "../connection/login-file.ts";

/** `rbee logout`: forgets the login; the API key stays good until it is revoked. */
export function logout(parent: Command): void {
  verb(parent, "logout", {
    summary: "forget the login; the API key itself stays good until it is revoked",
    examples: ["rbee logout"],
    queen: false,
  }).action((options: CommonOptions) =>
    perform(options, ({ env, answer, narrate }) => {
      removeLogin(loadSettings(queenSettings, { env }).values.configDir);
      narrate("keeper", "logged out");
      answer({ logged_out: true }, () => "");
    }),
  );
}
