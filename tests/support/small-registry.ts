import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "tar";
import { writeFiles } from "../../packages/bundle/src/testing/small-root.ts";

export interface SmallRegistry {
  /** What npm has to be started with to use this registry and nothing of this machine's. */
  readonly env: NodeJS.ProcessEnv;
  /** Archives that were asked for. */
  readonly delivered: string[];
  /** Adds a package; `integrity` is what the registry claims, the true one unless given. */
  publish(name: string, version: string, files: Readonly<Record<string, string>>, integrity?: string): string;
  /** From now on archives are begun and never ended; resolves when the next one was. */
  hang(): Promise<void>;
  stop(): Promise<void>;
}

interface Published {
  readonly name: string;
  readonly version: string;
  readonly archive: Buffer;
  readonly integrity: string;
}

/** A registry that speaks what `npm view` and `npm pack` need. */
export async function startSmallRegistry(): Promise<SmallRegistry> {
  const home = mkdtempSync(join(tmpdir(), "rbee-registry-"));
  const packages = new Map<string, Published>();
  const delivered: string[] = [];
  let hanging: (() => void) | undefined;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1);
    const wanted = packages.get(path.replace(/\.tgz$/u, ""));
    if (wanted === undefined) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"error":"Not found"}');
    } else if (path.endsWith(".tgz")) {
      delivered.push(wanted.name);
      response.writeHead(200, { "content-length": wanted.archive.length });
      if (hanging === undefined) response.end(wanted.archive);
      else {
        response.write(wanted.archive.subarray(0, 10));
        hanging();
      }
    } else {
      const { name, version, integrity } = wanted;
      const tarball = `http://${request.headers.host}/${encodeURIComponent(name)}.tgz`;
      const versions = { [version]: { name, version, dist: { tarball, integrity } } };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions }));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: join(home, "cache"),
      npm_config_fetch_retries: "0",
    },
    delivered,
    publish(name, version, files, claimed) {
      const folder = mkdtempSync(join(home, "package-"));
      const contents = { "package.json": JSON.stringify({ name, version }), ...files };
      writeFiles(join(folder, "package"), contents);
      const file = join(folder, "archive.tgz");
      create({ file, cwd: folder, gzip: true, sync: true }, ["package"]);
      const archive = readFileSync(file);
      const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
      packages.set(name, { name, version, archive, integrity: claimed ?? integrity });
      return integrity;
    },
    hang() {
      const { promise, resolve } = Promise.withResolvers<void>();
      hanging = resolve;
      return promise;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(home, { recursive: true, force: true });
    },
  };
}
