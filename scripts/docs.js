// `npm run docs`: writes the documents that are made from code; with `--check` it only says whether they are fresh.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { usePackagedNode } from "./packaged-node.js";
import { root } from "./prepare/root.js";

await usePackagedNode(import.meta.url);
const { errorCatalogue, queenEndpoints } = await import("../packages/contract/src/index.ts");
const { hiveSettings, queenSettings } = await import("../packages/settings/src/index.ts");
const { format, resolveConfig } = await import("prettier");

const header = "<!-- Written by `npm run docs`; do not edit. -->\n\n";
const row = (/** @type {string[]} */ ...cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

const retries = {
  never: "no",
  connect: "yes, 3 attempts",
  busy: "yes, after 1, 2 and 4 s",
  backoff: "yes, with growing waits",
};

function errors() {
  const rows = Object.entries(errorCatalogue).map(([code, { status, type, retry, summary, suggestion }]) =>
    row(`\`${code}\``, String(status), `\`${type}\``, retries[retry], summary, suggestion),
  );
  return `${header}# Errors

Every error has one shape, on every endpoint and in the last event of a stream that failed:

\`\`\`json
{ "error": { "message": "…", "type": "…", "param": null, "code": "…", "details": {}, "suggestion": "…" } }
\`\`\`

\`code\` is one of these. \`details\` is left out when there is nothing to say; \`suggestion\` says what to do, better than
the last column where more is known. "Retried" is what rbee does by itself before you see the error.

${row("code", "status", "type", "retried", "when", "what to do")}
${row("---", "---", "---", "---", "---", "---")}
${rows.join("\n")}
`;
}

function settings() {
  const table = (/** @type {import("../packages/settings/src/index.ts").SettingTable} */ definitions) =>
    Object.values(definitions).map(({ env, toml, fallback, description }) => {
      const value = fallback({ HOME: "~" });
      return row(`\`${env}\``, `\`${toml}\``, value === undefined ? "" : `\`${String(value)}\``, description);
    });
  const head = [row("variable", "in the file", "default", "what it does"), row("---", "---", "---", "---")];
  return `${header}# Settings

A setting comes from a flag, else the environment, else one TOML file, else its default. The file is the first that
exists of \`$RBEE_CONFIG\`, \`~/.config/rbee/config.toml\` and \`/etc/rbee/config.toml\`. \`npx rbee config\` shows the values
in force on your machine and where each came from. Flags are those of \`npm start -- --help\`.

## Queen

${[...head, ...table(queenSettings)].join("\n")}

## Hive

${[...head, ...table(hiveSettings)].join("\n")}
`;
}

function endpoints() {
  const rows = Object.values(queenEndpoints).map(({ method, path, owner, summary }) =>
    row(`\`${method} ${path}\``, owner.replace("_", " "), summary),
  );
  return `${header}# The queen's HTTP endpoints

\`GET /openapi.json\` on a running queen describes every body. "Who": \`public\` is anybody, \`person\` a signed-in person
or an API key, \`admin\` the same with the administrator's role, \`hive\` an enrolled hive, \`join token\` a machine that joins.

${row("endpoint", "who", "what")}
${row("---", "---", "---")}
${rows.join("\n")}
`;
}

const documents = { "docs/errors.md": errors(), "docs/settings.md": settings(), "docs/endpoints.md": endpoints() };
const options = await resolveConfig(join(root, "README.md"));
/** @type {string[]} */
const stale = [];
for (const [file, text] of Object.entries(documents)) {
  const wanted = await format(text, { ...options, parser: "markdown" });
  let present = "";
  try {
    present = readFileSync(join(root, file), "utf8");
  } catch {
    // Not written yet.
  }
  if (present === wanted) continue;
  stale.push(file);
  if (!process.argv.includes("--check")) writeFileSync(join(root, file), wanted);
}
if (process.argv.includes("--check") && stale.length > 0) {
  process.stderr.write(`${stale.join(", ")}: not what the code says any more; run \`npm run docs\`.\n`);
  process.exit(1);
}
