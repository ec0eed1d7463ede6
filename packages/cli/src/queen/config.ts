import type { Setting } from "@rbee/contract";
import { describeSettings, hiveSettings, loadSettings, queenSettings } from "@rbee/settings";
import type { Command } from "commander";
import { perform, verb, type CommonOptions, type Context } from "../command.ts";
import { UsageError } from "../failure.ts";
import { orDash } from "../terminal/format.ts";
import { table } from "../terminal/table.ts";

type Row = Setting & { of: "queen" | "hive" };

/** Where settings are in force that this shell does not know: in a queen that already runs. */
async function ofRunningQueen({ find, signal }: Context): Promise<{ url: string; settings: Setting[] } | undefined> {
  try {
    const found = find();
    if (found === undefined) return undefined;
    return { url: found.url, settings: (await found.client.listSettings({ signal, timeoutMs: 2_000 })).data };
  } catch {
    // Not up yet, not set up, or not ours to ask: what this shell would start with is the answer then.
    return undefined;
  }
}

/** Settings as a table, with what each does under its value. */
export function settingTable(rows: readonly Row[]): string {
  return table(rows, [
    { title: "SETTING", cell: ({ name }) => name },
    { title: "VALUE", cell: ({ value }) => orDash(value) },
    { title: "FROM", cell: ({ source }) => source },
    { title: "WHAT IT DOES", cell: ({ description }) => description },
  ]);
}

/** What the household decides about itself rather than the queen's environment. */
const decided = "household-name";

async function householdName({ connect, signal, answer, narrate }: Context, name: string | undefined): Promise<void> {
  const { client } = connect();
  if (name === undefined) {
    const { queen } = await client.fleet({ signal });
    answer({ name: queen.household }, () => queen.household);
    return;
  }
  const renamed = await client.updateHousehold({ body: { name }, signal });
  narrate("queen", `the household is called ${renamed.name} now`);
  answer(renamed, () => "");
}

/** `rbee config`. */
export function config(parent: Command): void {
  verb(parent, "config [setting] [value]", {
    summary: `show every setting, its value, where it came from and what it does; or set the ${decided}`,
    examples: ["rbee config", "RBEE_PORT=7000 rbee config --json", `rbee config ${decided} "The Beehive"`],
  }).action((setting: string | undefined, value: string | undefined, options: CommonOptions) =>
    perform(options, async (context) => {
      if (setting === decided) {
        await householdName(context, value);
        return;
      }
      if (setting !== undefined)
        throw new UsageError(
          `${setting} cannot be set with this command; only ${decided} can.`,
          "Set it in the environment or in the settings file, then start rbee again; `rbee config` shows both.",
        );
      const { env, narrate, answer } = context;
      const queen = loadSettings(queenSettings, { env });
      const hive = loadSettings(hiveSettings, { env });
      const running = await ofRunningQueen(context);
      const queenRows: Row[] = (running?.settings ?? describeSettings(queenSettings, queen)).map((row) => ({
        ...row,
        of: "queen",
      }));
      const known = new Set(queenRows.map(({ name }) => name));
      const hiveRows: Row[] = describeSettings(hiveSettings, hive)
        .filter(({ name }) => !known.has(name))
        .map((row) => ({ ...row, of: "hive" }));
      narrate(
        "keeper",
        running === undefined
          ? "no queen runs: this is what she would start with"
          : `as the queen at ${running.url} runs`,
      );
      narrate("keeper", queen.file === undefined ? "no settings file" : `settings file ${queen.file}`);
      answer(
        { file: queen.file ?? null, queen: running?.url ?? null, settings: [...queenRows, ...hiveRows] },
        () => `Queen\n${settingTable(queenRows)}\n\nHive\n${settingTable(hiveRows)}`,
      );
    }),
  );
}
