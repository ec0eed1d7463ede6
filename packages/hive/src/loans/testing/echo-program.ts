import { fileURLToPath } from "node:url";
import { fakeTool } from "../../testing/fixture.ts";

const echoServer = fileURLToPath(new URL("./echo-server.js", import.meta.url));

/** A program that stands in for `ggml-rpc-server`, for the test. */
export const echoProgram = (): string => fakeTool(`exec ${process.execPath} ${echoServer} "$@"`);
