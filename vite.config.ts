import adapter from "@sveltejs/adapter-node";
import { sveltekit } from "@sveltejs/kit/vite";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vitest/config";

/** Suites are split by what they need: nothing, real processes, or public clients against a running household. */
const suites = {
  unit: { include: ["src/**/*.test.ts", "packages/*/src/**/*.test.ts"], testTimeout: 10_000 },
  integration: {
    include: ["tests/integration/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    globalSetup: "tests/support/built.ts",
  },
  conformance: {
    include: ["tests/conformance/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    globalSetup: "tests/support/built.ts",
  },
};

/** Pages load from the queen alone. Inline styles stay allowed: bars and menus set their size through them. */
const contentSecurity = {
  mode: "auto" as const,
  directives: {
    "default-src": ["self" as const],
    "script-src": ["self" as const],
    "style-src": ["self" as const, "unsafe-inline" as const],
    "img-src": ["self" as const, "data:" as const],
    "connect-src": ["self" as const],
    "font-src": ["self" as const, "data:" as const],
    "object-src": ["none" as const],
    "base-uri": ["self" as const],
    "form-action": ["self" as const],
    "frame-ancestors": ["none" as const],
  },
};

export default defineConfig({
  plugins: [tailwindcss(), sveltekit({ adapter: adapter(), csrf: { trustedOrigins: ["*"] }, csp: contentSecurity })],
  test: {
    projects: Object.entries(suites).map(([name, suite]) => ({
      extends: true,
      test: { name, environment: "node", passWithNoTests: false, ...suite },
    })),
  },
});
