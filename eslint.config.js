import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

// Regular expressions throughout: in the other form of pattern, one that begins with `#` counts as a comment.

/** Folders that say nothing about what is inside them. */
const uselessNames = {
  regex: "(?:^|/)(?:utils?|helpers?|common|misc)/",
  message: "Name the folder after what it holds.",
};

/** A package of ours, by its name or by a path into it. See "Import rules" in ARCHITECTURE.md. */
const packages = (names, message) => {
  const any = `(?:${names.join("|")})`;
  return { regex: `^@rbee/${any}(?:/|$)|^\\.\\.?/(?:.*/)?${any}/(?:src|dist|bin)/`, message };
};

const restrict = (files, patterns, ignores = []) => ({
  files,
  ignores,
  rules: { "no-restricted-imports": ["error", { patterns: [uselessNames, ...patterns] }] },
});

const speaksHttp = packages(["hive", "worker", "cli"], "The queen speaks to hives over HTTP.");
const domainsByIndex = {
  regex: "^#lib/server/[^/]+/(?!index\\.ts$)|^(?:\\.\\./)+(?!tests/support/)[^./]+/(?!index\\.ts$)",
  message: "Domains meet through their index.ts.",
};
const servicesAreMadeOnce = {
  regex: "^#lib/server/[^/]+/index\\.ts$",
  importNamePattern: "^create[A-Z]",
  message: "Only queen.ts constructs services.",
};

/** Libraries that one folder alone may know. */
const libraryOwners = [
  { name: "node-llama-cpp", owner: "packages/worker/src/engine/**" },
  { name: "lucia", owner: "src/lib/server/accounts/sessions/**" },
  { name: "ssh2", owner: "src/lib/server/provisioning/**" },
];
const reserve = (files, libraries) => ({
  files,
  rules: {
    "@typescript-eslint/no-restricted-imports": [
      "error",
      { paths: libraries.map(({ name, owner }) => ({ name, message: `Only ${owner} may know ${name}.` })) },
    ],
  },
});

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
    ["scripts/**", "server.js"],
    [packages(["hive", "worker", "cli"], "Programs of ours are started as processes of their own.")],
  ),
  restrict(
    ["packages/contract/**"],
    [{ regex: "^(?!zod$|vitest$|fast-check$|\\.\\.?/)", message: "The contract imports zod alone." }],
  ),
  restrict(
    ["packages/settings/**"],
    [packages(["jobs", "hive", "worker", "cli"], "Settings import the contract at most.")],
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
    ["packages/bundle/**"],
    [packages(["settings", "jobs", "hive", "worker", "cli"], "A bundle is made of files; it runs none of them.")],
  ),
  restrict(
    ["packages/hive/**"],
    [packages(["worker", "cli"], "A hive starts a worker as a child process; it never imports it.")],
  ),
  restrict(["packages/worker/**"], [packages(["hive", "cli", "settings"], "A worker knows only the contract.")]),
  restrict(["packages/cli/**"], [packages(["hive", "worker"], "The command line goes through the queen.")]),
  restrict(
    ["src/routes/**"],
    [
      {
        regex: "server/db/|^drizzle-orm|^better-sqlite3$",
        message: "Routes call a service; they never touch the database.",
      },
      domainsByIndex,
      servicesAreMadeOnce,
      speaksHttp,
    ],
  ),
  restrict(
    ["src/lib/components/**", "src/lib/state/**"],
    [{ regex: "(?:^|/)server/", message: "Components never import server code." }, speaksHttp],
  ),
  restrict(
    ["src/lib/server/**"],
    [speaksHttp, domainsByIndex, servicesAreMadeOnce],
    ["src/lib/server/queen.ts", "src/lib/server/**/*.test.ts"],
  ),
  restrict(["src/lib/server/queen.ts", "src/lib/server/**/*.test.ts"], [speaksHttp, domainsByIndex]),
  // The later of two blocks for one file replaces the earlier one: the owners come last.
  reserve(["src/**", "packages/**"], libraryOwners),
  ...libraryOwners.map(({ name, owner }) =>
    reserve(
      [owner],
      libraryOwners.filter((other) => other.name !== name),
    ),
  ),
  prettier,
);
