import type { Role } from "@rbee/contract";
import { Option, type Command } from "commander";
import { seconds } from "../arguments.ts";
import { perform, verb, type CommonOptions } from "../command.ts";
import { formatMoment } from "../terminal/format.ts";

interface Options extends CommonOptions {
  role: Role;
  expires?: number;
}

/** `rbee user invite`: the link alone goes to stdout. */
export function userInvite(parent: Command): void {
  verb(parent, "invite", {
    summary: "make a link with which one person can join",
    examples: ["rbee user invite", "rbee user invite --role admin --expires 1h"],
  })
    .addOption(new Option("--role <role>", "what the person may do").choices(["member", "admin"]).default("member"))
    .option("--expires <time>", "how long the link is good for; 7 days when left out", seconds)
    .action((options: Options) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const { client, url, local } = connect();
        const created = await client.createInvitation({
          body: { role: options.role, ...(options.expires === undefined ? {} : { expires_in_s: options.expires }) },
          signal,
        });
        const link = `${url}${created.path}`;
        narrate(
          "queen",
          `invites one ${created.role}; the link expires ${formatMoment(created.expires_at, Date.now())}`,
        );
        if (local) narrate("keeper", "on another machine, put this machine's name or address into the link");
        answer({ ...created, url: link }, () => link);
      }),
    );
}
