/** The hub of models that tests put in front of hives and queens, and files to put there. */
export * from "../../packages/hive/src/testing/fake-hub.ts";
export { ggufFile } from "../../packages/hive/src/testing/gguf-model.ts";
