/**
 * Imports of `node:http` become a look at the module itself. An import statement asks a built-in module for all of its
 * exports at once, and this one then loads Node's own WebSocket and fetch with all they need: 12 MB in each process
 * that only wants a server.
 * @type {import("esbuild").Plugin}
 */
export const plainHttp = {
  name: "plain-http",
  setup({ onResolve, onLoad }) {
    const namespace = "plain-http";
    onResolve({ filter: /^(?:node:)?http$/ }, ({ kind }) =>
      kind === "import-statement" ? { path: "node:http", namespace } : undefined,
    );
    onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};
