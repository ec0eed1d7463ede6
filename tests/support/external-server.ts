/** A server that is not rbee's, as hives find them; the hive's own tests use the same one. */
export * from "../../packages/hive/src/testing/external-server.ts";
