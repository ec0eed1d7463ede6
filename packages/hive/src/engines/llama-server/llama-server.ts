import { statSync } from "node:fs";
import type { EngineEvents, EngineProcess, Fingerprint, Launch, StartingEngine } from "../engine.ts";
import { computeProgramBeside, findProgram, type ProgramSearch } from "../programs.ts";
import { lookAt, type ProgramFacts, type ProgramLook } from "./look.ts";
import { LlamaServerProcess } from "./process.ts";

/** A program that did not work, or did not tell what it computes with, is asked again after so long. */
const againMs = 60_000;

/** llama.cpp's own server, where it is found on this machine. */
export class LlamaServer implements StartingEngine {
  readonly kind = "starts";
  readonly name = "llama-server";
  readonly #search: ProgramSearch;
  readonly #limitMs: number | undefined;
  /** What was heard of a file, and which state of it that was. */
  #heard: { readonly mark: string; readonly look: ProgramLook; readonly at: number } | undefined;

  /** @param limitMs how long the program may take to say what it is. */
  constructor(search: ProgramSearch, limitMs?: number) {
    this.#search = search;
    this.#limitMs = limitMs;
  }

  /** Where it is installed on this machine; null when nowhere. */
  get path(): string | null {
    return findProgram(this.name, this.#search);
  }

  async fingerprint(): Promise<Fingerprint> {
    const { path } = this;
    if (path === null) return { usable: false, where: null, reason: "no llama-server was found on this machine" };
    const look = await this.#lookOnce(path);
    if ("problem" in look) return { usable: false, where: path, reason: look.problem };
    const { version, devices, help } = look.facts;
    const backends = Object.keys(devices) as (keyof typeof devices)[];
    const spreads = /(?:^|\s)--rpc\s/u.test(help) && computeProgramBeside(path) !== null;
    return { usable: true, version, where: path, backends, ...(spreads ? { spreads } : {}) };
  }

  start(launch: Launch, events: EngineEvents): EngineProcess {
    return new LlamaServerProcess(this.#facts, launch, events);
  }

  get #facts(): ProgramFacts {
    if (this.#heard === undefined || "problem" in this.#heard.look)
      throw new Error("llama-server is started only after a look that found it usable.");
    return this.#heard.look.facts;
  }

  /** A program that has not changed is not run again: it is looked for often. One that failed may lack what comes later. */
  async #lookOnce(path: string): Promise<ProgramLook> {
    const mark = markOf(path);
    const heard = this.#heard;
    const isWhole = heard !== undefined && "facts" in heard.look && heard.look.facts.knowsDevices;
    if (heard?.mark === mark && (isWhole || performance.now() - heard.at < againMs)) return heard.look;
    const look = await lookAt(path, this.#limitMs);
    this.#heard = { mark, look, at: performance.now() };
    return look;
  }
}

function markOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return [path, mtimeMs, size, ino].join(" ");
  } catch {
    return path;
  }
}
