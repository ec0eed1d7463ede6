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
  },
  conformance: {
    include: ["tests/conformance/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
};

export default defineConfig({
  plugins: [tailwindcss(), sveltekit({ adapter: adapter(), csrf: { trustedOrigins: ["*"] } })],
  test: {
    projects: Object.entries(suites).map(([name, suite]) => ({
      extends: true,
      test: { name, environment: "node", passWithNoTests: false, ...suite },
    })),
  },
});
