import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

/** Folders that say nothing about what is inside them. */
const bannedFolders = ["utils", "util", "helpers", "helper", "common", "misc"].map((name) => `**/${name}/**`);
/** Everything a package may not import of its neighbours: see "Import rules" in ARCHITECTURE.md. */
const foreign = (...names) => names.map((name) => `@rbee/${name}`);

const restrict = (files, patterns) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      { patterns: [{ group: bannedFolders, message: "Name the folder after what it holds." }, ...patterns] },
    ],
  },
});

const libraryOwners = [
  { name: "node-llama-cpp", owner: "packages/worker/src/engine/**" },
  { name: "lucia", owner: "src/lib/server/accounts/sessions/**" },
  { name: "ssh2", owner: "src/lib/server/provisioning/**" },
];

export default ts.config(
  {
    ignores: [
      "**/node_modules/",
      "build/",
      "packages/*/dist/",
      ".svelte-kit/",
      "drizzle/",
      "models/",
      "test-results/",
      "playwright-report/",
    ],
  },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.node } },
    rules: {
      "no-undef": "off",
      "no-console": "error",
      eqeqeq: "error",
      "no-duplicate-imports": ["error", { allowSeparateTypeImports: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" },
      ],
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/no-empty-function": ["error", { allow: ["arrowFunctions"] }],
      "@typescript-eslint/unified-signatures": "off",
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser }, globals: { ...globals.browser } },
    // The queen always lives at the root of her address: there is no base path to resolve.
    rules: { "svelte/no-navigation-without-resolve": "off" },
  },
  { files: ["packages/cli/**", "scripts/**", "bench/**", "packages/*/bin/**"], rules: { "no-console": "off" } },

  restrict(
    ["packages/contract/**"],
    [
      {
        group: [...foreign("settings", "hive", "worker", "cli"), "node:*", "!zod"],
        message: "The contract imports zod alone.",
      },
    ],
  ),
  restrict(
    ["packages/settings/**"],
    [{ group: foreign("hive", "worker", "cli"), message: "Settings import the contract at most." }],
  ),
  restrict(
    ["packages/jobs/**"],
    [
      {
        // It knows neither a database nor HTTP: whoever uses it brings both.
        regex: "^(?!\\.{1,2}/|node:|@rbee/contract$|cockatiel$|eventsource-parser|vitest$|fast-check$)",
        message: "Jobs import the contract, cockatiel and eventsource-parser alone.",
      },
    ],
  ),
  restrict(
    ["packages/hive/**"],
    [
      { group: foreign("worker", "cli"), message: "A hive starts a worker as a child process; it never imports it." },
      { group: ["node-llama-cpp", "lucia", "ssh2"], message: "Not a hive's library." },
    ],
  ),
  restrict(
    ["packages/worker/**"],
    [{ group: foreign("hive", "cli", "settings"), message: "A worker knows only the contract." }],
  ),
  restrict(
    ["packages/cli/**"],
    [
      { group: foreign("hive", "worker"), message: "The command line goes through the queen." },
      { group: ["node-llama-cpp", "lucia", "ssh2"], message: "Not the command line's library." },
    ],
  ),
  restrict(
    ["src/routes/**"],
    [
      {
        group: ["#lib/server/db/*", "**/server/db/**", "drizzle-orm*", "better-sqlite3"],
        message: "Routes call a service; they never touch the database.",
      },
      {
        group: ["#lib/server/*/*.ts", "!#lib/server/*/index.ts"],
        message: "Domains are imported through their index.ts.",
      },
      { group: foreign("hive", "worker", "cli"), message: "The queen speaks to hives over HTTP." },
    ],
  ),
  restrict(
    ["src/lib/components/**", "src/lib/state/**"],
    [{ group: ["#lib/server/**", "**/server/**"], message: "Components never import server code." }],
  ),
  restrict(
    ["src/lib/server/**"],
    [
      { group: foreign("hive", "worker", "cli"), message: "The queen speaks to hives over HTTP." },
      { group: ["#lib/server/*/*.ts", "!#lib/server/*/index.ts"], message: "Domains meet through their index.ts." },
    ],
  ),
  ...libraryOwners.map(({ name, owner }) => ({
    files: ["src/**", "packages/**"],
    ignores: [owner, "packages/hive/**", "packages/cli/**", "packages/contract/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { paths: [{ name, message: `Only ${owner} may know ${name}.` }] },
      ],
    },
  })),
  prettier,
);
