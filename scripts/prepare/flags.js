import { Refusal } from "./command.js";

/** @param {string} env `RBEE_HIVE_PORT` is `--hive-port` on the command line. */
const flagOf = (env) =>
  `--${env
    .replace(/^RBEE_/u, "")
    .toLowerCase()
    .replaceAll("_", "-")}`;

/**
 * Sets the environment variables that the flags of `npm start -- --port 7000` stand for; secrets have no flag, since
 * everybody on the machine can read a command line.
 * @param {readonly string[]} args
 * @returns {Promise<boolean>} False when only help was asked for, which has then been printed.
 * @throws {Refusal} naming the flag that is unknown or lacks its value.
 */
export async function applyFlags(args) {
  if (args.length === 0) return true;
  const { queenSettings } = await import("../../packages/settings/src/index.ts");
  const known = new Map(
    Object.values(queenSettings)
      .filter((definition) => definition.secret !== true)
      .map((definition) => [flagOf(definition.env), definition]),
  );
  if (args.some((arg) => arg === "--help" || arg === "-h")) {
    process.stdout.write("Usage: npm start -- [flags]\n\n");
    for (const [flag, { env, description }] of known)
      process.stdout.write(`  ${`${flag} <value>`.padEnd(28)} ${description} (${env})\n`);
    return false;
  }
  for (const [index, arg] of args.entries()) {
    const isValue = index > 0 && known.has(args[index - 1] ?? "");
    if (isValue) continue;
    const [flag = arg, inline] = arg.split(/=(.*)/su);
    const definition = known.get(flag);
    if (definition === undefined)
      throw new Refusal(`${flag} is not a flag of npm start; \`npm start -- --help\` lists them.`);
    const value = inline ?? args[index + 1];
    if (value === undefined || value === "") throw new Refusal(`${flag} needs a value.`);
    process.env[definition.env] = value;
  }
  return true;
}
