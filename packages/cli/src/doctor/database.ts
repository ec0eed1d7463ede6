import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { programRoot } from "../program-root.ts";
import { fail, ok, warn, type Check, type Finding } from "./finding.ts";

/** Reads a database in a process of its own: a damaged file may take the native driver down. It changes nothing. */
const script = `
const { default: Database } = await import("better-sqlite3");
const db = new Database(process.argv[1], { readonly: true, fileMustExist: true });
const check = db.pragma("quick_check(1)", { simple: true });
const has = db.prepare("select count(*) as n from sqlite_master where name = 'users'").get().n > 0;
const admins = has ? db.prepare("select count(*) as n from users where role = 'admin'").get().n : null;
process.stdout.write(JSON.stringify({ check, admins }));
`;

async function read(file: string): Promise<{ check: string; admins: number | null }> {
  const code = `(async () => { ${script} })().catch((error) => { console.error(String(error.message ?? error)); process.exit(1); })`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", code, file], {
    cwd: programRoot,
    timeout: 18_000,
  });
  return JSON.parse(stdout) as { check: string; admins: number | null };
}

async function database(name: string, file: string, remedy: string): Promise<readonly Finding[]> {
  if (!existsSync(file)) return [ok(name, "none yet; it is made at the first start")];
  try {
    const { check, admins } = await read(file);
    if (check !== "ok") return [fail(name, `${file} is damaged: ${check}`, remedy)];
    const sound = ok(name, `${file} is sound`);
    if (admins === null) return [sound];
    return admins > 0
      ? [sound, ok("administrator", admins === 1 ? "there is one" : `there are ${admins}`)]
      : [sound, warn("administrator", "there is none yet", "Open the dashboard and follow the first page.")];
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const reason = stderr?.trim().split("\n").at(-1) ?? "";
    return [fail(name, `${file} cannot be read${reason === "" ? "" : `: ${reason}`}`, remedy)];
  }
}

/** Whether what queen and hive remember is sound. */
export function databaseChecks({ home, hiveHome }: { home: string; hiveHome: string }): readonly Check[] {
  return [
    {
      name: "database",
      look: () => database("database", join(home, "queen.db"), "Stop rbee and put a backup of queen.db in its place."),
    },
    {
      name: "hive's database",
      look: () =>
        database(
          "hive's database",
          join(hiveHome, "hive.db"),
          "Stop rbee and remove it: the models stay, and what it knew of their past is made anew.",
        ),
    },
  ];
}
