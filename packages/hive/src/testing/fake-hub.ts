import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the hub does with the next requests for a file; each is used once, in order, and then it is good. */
export type Mood =
  | { readonly kind: "cut"; readonly afterBytes: number }
  | { readonly kind: "stall"; readonly afterBytes: number }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "redirect"; readonly to: string }
  /** Takes the question and never answers it. */
  | { readonly kind: "hang" }
  /** Answers this instead. */
  | { readonly kind: "body"; readonly text: string }
  /** Sends the whole file whatever was asked for. */
  | { readonly kind: "ignore range" }
  | { readonly kind: "other bytes" }
  /** Answers with a page of some other service; for descriptions only. */
  | { readonly kind: "garbage" };

export interface HubRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

interface StoredFile {
  readonly content: Buffer;
  sha256: string;
  etag: string;
}

/** What the hub says of a repository beside its files. */
export interface RepositoryCard {
  readonly downloads?: number;
  readonly likes?: number;
  readonly gated?: false | "auto" | "manual";
  readonly private?: boolean;
  readonly lastModified?: string;
  readonly gguf?: { readonly total: number; readonly architecture: string; readonly context_length: number };
}

/** Sends so many bytes at a time; 0 as delay sends as fast as it goes. */
export interface Pace {
  readonly chunkBytes: number;
  readonly delayMs: number;
}

/**
 * A small real server in the place of the hub of models: the description of a repository, and its files with ranges.
 * It misbehaves as it is told, and remembers what it was asked.
 */
export class FakeHub {
  readonly requests: HubRequest[] = [];
  readonly moods: Mood[] = [];
  /** For the description of a repository and for searches, in front of everything else. */
  readonly listingMoods: Mood[] = [];
  readonly commit = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
  /** A repository that only this token may see. */
  token: string | undefined;
  pace: Pace = { chunkBytes: 64 * 1024, delayMs: 0 };
  /** Files are sent from here on a redirect, as hubs do. */
  redirectTo: string | undefined;
  readonly #files = new Map<string, StoredFile>();
  readonly #cards = new Map<string, RepositoryCard>();
  #server: Server | undefined;
  #host = "127.0.0.1";
  #port = 0;
  #running = 0;

  /** @param host where it listens; the address that its `url` names. */
  static async start(host = "127.0.0.1"): Promise<FakeHub> {
    const hub = new FakeHub();
    const server = createServer((request, response) => {
      hub.#running += 1;
      response.on("close", () => {
        hub.#running -= 1;
      });
      void hub.#answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    hub.#server = server;
    hub.#host = host;
    hub.#port = (server.address() as AddressInfo).port;
    return hub;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}`;
  }

  /** The requests for files, in order. */
  get fileRequests(): HubRequest[] {
    return this.requests.filter(({ path }) => path.includes("/resolve/"));
  }

  /** Answers that are being sent now. */
  get running(): number {
    return this.#running;
  }

  /** Adds a file: `org/repo`, then its path there. Gives its SHA-256. */
  add(repository: string, path: string, content: Buffer): string {
    const sha256 = createHash("sha256").update(content).digest("hex");
    this.#files.set(`${repository}/${path}`, { content, sha256, etag: `"${sha256.slice(0, 16)}"` });
    return sha256;
  }

  /** What searches and the description of a repository tell. */
  describe(repository: string, card: RepositoryCard): void {
    this.#cards.set(repository, card);
  }

  /** From now on the hub announces another hash than the file has. */
  lieAbout(repository: string, path: string): void {
    const file = this.#files.get(`${repository}/${path}`);
    if (file !== undefined) file.sha256 = "0".repeat(64);
  }

  close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    const path = decodeURIComponent(pathname);
    const { range, authorization } = request.headers;
    this.requests.push({ method: request.method ?? "", path, range, authorization });
    const listing = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/u.exec(path);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/u.exec(path);
    if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
      fail(response, 401, { "x-error-code": authorization === undefined ? "GatedRepo" : "InvalidToken" });
    } else if (path === "/api/models") {
      this.#search(searchParams, response);
    } else if (listing !== null) {
      this.#list(listing[1] ?? "", listing[2] ?? "", response);
    } else if (file !== null) {
      await this.#send(this.#files.get(`${file[1] ?? ""}/${file[3] ?? ""}`), path, range, response);
    } else fail(response, 404);
  }

  /** Does what the next mood for listings says; false when there is none. */
  #misbehave(response: ServerResponse): boolean {
    const mood = this.listingMoods.shift();
    if (mood?.kind === "status") fail(response, mood.status, mood.headers);
    else if (mood?.kind === "body") response.end(mood.text);
    else if (mood?.kind === "garbage")
      response.writeHead(200, { "content-type": "text/html" }).end("<html>Please sign in to the Wi-Fi</html>");
    else return mood?.kind === "hang";
    return true;
  }

  /** Repositories with GGUF files whose name holds every word, the most downloaded first. */
  #search(query: URLSearchParams, response: ServerResponse): void {
    if (this.#misbehave(response)) return;
    const words = (query.get("search") ?? "").toLowerCase().split(/\s+/u);
    const repositories = new Set(
      [...this.#files.keys()]
        .filter((name) => name.endsWith(".gguf"))
        .map((name) => name.split("/").slice(0, 2).join("/")),
    );
    const found = [...repositories]
      .filter((repository) => words.every((word) => repository.toLowerCase().includes(word)))
      .map((id) => ({ id, ...this.#cards.get(id) }))
      .sort((a, b) => (b.downloads ?? 0) - (a.downloads ?? 0))
      .slice(0, Number(query.get("limit") ?? 20));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(found));
  }

  #list(repository: string, revision: string, response: ServerResponse): void {
    if (this.#misbehave(response)) return;
    const files = [...this.#files].filter(([name]) => name.startsWith(`${repository}/`));
    if (files.length === 0) {
      fail(response, 401, { "x-error-code": "RepoNotFound" });
      return;
    }
    if (revision !== "main" && revision !== this.commit) {
      fail(response, 404, { "x-error-code": "RevisionNotFound" });
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        id: repository,
        ...this.#cards.get(repository),
        sha: this.commit,
        siblings: [
          { rfilename: "README.md", size: 12 },
          ...files.map(([name, { content, sha256 }]) => ({
            rfilename: name.slice(repository.length + 1),
            size: content.length,
            lfs: { sha256, size: content.length, pointerSize: 135 },
          })),
        ],
      }),
    );
  }

  async #send(
    file: StoredFile | undefined,
    path: string,
    range: string | undefined,
    response: ServerResponse,
  ): Promise<void> {
    if (file === undefined) {
      fail(response, 404, { "x-error-code": "EntryNotFound" });
      return;
    }
    const mood = this.moods.shift();
    if (mood?.kind === "status") {
      fail(response, mood.status, mood.headers);
      return;
    }
    const redirect = mood?.kind === "redirect" ? mood.to : this.redirectTo;
    if (redirect !== undefined) {
      response.writeHead(302, { location: redirect.endsWith("/") ? `${redirect.slice(0, -1)}${path}` : redirect });
      response.end();
      return;
    }
    await this.#sendBytes(file, mood, range, response);
  }

  async #sendBytes(
    { content, etag }: StoredFile,
    mood: Mood | undefined,
    range: string | undefined,
    response: ServerResponse,
  ): Promise<void> {
    const [, asked, last] = mood?.kind === "ignore range" ? [] : (/^bytes=(\d+)-(\d*)$/u.exec(range ?? "") ?? []);
    const start = asked === undefined ? 0 : Number(asked);
    const whole = mood?.kind === "other bytes" ? Buffer.alloc(content.length, 7) : content;
    if (start >= whole.length) {
      fail(response, 416);
      return;
    }
    const end = last === undefined || last === "" ? whole.length : Math.min(whole.length, Number(last) + 1);
    const body = whole.subarray(start, end);
    response.writeHead(asked === undefined ? 200 : 206, {
      "content-type": "application/octet-stream",
      "content-length": String(body.length),
      etag,
      ...(asked === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${whole.length}` }),
    });
    const limit = mood?.kind === "cut" || mood?.kind === "stall" ? Math.min(mood.afterBytes, body.length) : body.length;
    await this.#write(body.subarray(0, limit), response);
    if (mood?.kind === "cut") response.socket?.destroy();
    else if (mood?.kind !== "stall") response.end();
  }

  async #write(body: Buffer, response: ServerResponse): Promise<void> {
    for (let sent = 0; sent < body.length && !response.destroyed;) {
      const { chunkBytes, delayMs } = this.pace;
      const chunk = body.subarray(sent, sent + chunkBytes);
      sent += chunk.length;
      await new Promise<void>((resolve) => {
        response.write(chunk, () => {
          resolve();
        });
      });
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function fail(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, headers);
  response.end("{}");
}
