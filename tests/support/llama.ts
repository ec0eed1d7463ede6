import { hiveSettings, loadSettings } from "@rbee/settings";
import { findProgram } from "../../packages/hive/src/engines/programs.ts";

const { llamaServer, llamaFolder } = loadSettings(
  { llamaServer: hiveSettings.llamaServer, llamaFolder: hiveSettings.llamaFolder },
  {},
).values;

/**
 * llama.cpp's server where this machine has one: by RBEE_LLAMA_SERVER, built by `npm run llama:build`, or on PATH; null
 * where not. Tests that need it say `describe.skipIf(llamaServerPath === null)`; `npm test` says what is skipped and why.
 */
export const llamaServerPath = findProgram("llama-server", { setting: llamaServer, cache: llamaFolder });
