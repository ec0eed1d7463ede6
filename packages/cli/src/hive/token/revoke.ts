import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../../command.ts";

/** `rbee hive token revoke`. */
export function tokenRevoke(parent: Command): void {
  verb(parent, "revoke <id>", {
    summary: "revoke a join token; machines that joined with it stay",
    examples: ["rbee hive token revoke jt_3f9a"],
  }).action((id: string, options: CommonOptions) =>
    perform(options, async ({ connect, signal, answer, narrate }) => {
      await connect().client.revokeJoinToken({ params: { id }, signal });
      narrate("queen", `revoked the join token ${id}`);
      answer({ revoked: { id } }, () => "");
    }),
  );
}
