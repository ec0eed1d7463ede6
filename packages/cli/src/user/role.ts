import { roleSchema } from "@rbee/contract";
import { Argument, type Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { pick } from "../pick.ts";

/** `rbee user role`. */
export function userRole(parent: Command): void {
  verb(parent, "role", {
    summary: "change what a person may do",
    examples: ["rbee user role Bob admin"],
  })
    .argument("<user>", "name or id")
    .addArgument(new Argument("<role>", "the new role").choices(roleSchema.options))
    .action((wanted: string, role: string, options: CommonOptions) =>
      perform(options, async ({ connect, signal, answer, narrate }) => {
        const { client } = connect();
        const { data } = await client.listUsers({ signal });
        const user = pick(data, wanted, "user", { id: ({ id }) => id, name: ({ name }) => name });
        const changed = await client.updateUser({
          params: { id: user.id },
          body: { role: roleSchema.parse(role) },
          signal,
        });
        narrate("queen", `${changed.name} is ${changed.role} now`);
        answer(changed, () => "");
      }),
    );
}
