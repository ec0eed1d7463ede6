import { queenClient } from "@rbee/contract";
import { loadSettings, queenSettings } from "@rbee/settings";
import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { queenUrl } from "../connection/connect.ts";
import { writeLogin } from "../connection/login-file.ts";
import { UsageError } from "../failure.ts";
import { readSecret } from "../terminal/prompt.ts";

/** `rbee login`: remembers a queen and an API key, once she has accepted it. */
export function login(parent: Command): void {
  verb(parent, "login <url>", {
    summary: "talk to a queen on another machine from now on, with an API key",
    examples: ["rbee login http://192.168.1.10:7833", 'echo "$KEY" | rbee login http://192.168.1.10:7833'],
    queen: false,
  }).action((address: string, options: CommonOptions) =>
    perform(options, async ({ env, signal, answer, narrate }) => {
      const url = queenUrl(address);
      const { configDir } = loadSettings(queenSettings, { env }).values;
      const key = await readSecret(`API key for ${url} (its page "Apps" makes one): `, signal);
      if (key === "") throw new UsageError("No API key was given.");
      const user = await queenClient({ baseUrl: url, token: key }).me({ signal });
      writeLogin(configDir, { url, api_key: key, user: user.name });
      narrate("keeper", `logged in to ${url} as ${user.name} (${user.role})`);
      answer({ url, user }, () => "");
    }),
  );
}
