import type { Backend, Engine as EngineName, WorkerMessage, WorkerProcessOptions } from "@rbee/contract";
import type { Dispatcher } from "undici";

/** Whether an engine can be used on this machine, as of one look. */
export type Fingerprint =
  | {
      readonly usable: true;
      /** In the engine's own words; null when it does not tell. */
      readonly version: string | null;
      /** The program or the address that was found; null when there is nothing to say. */
      readonly where: string | null;
      /** What it can compute with, if the machine has it; the hive's own backends when left out. */
      readonly backends?: readonly Backend[];
      /** Whether it can share a model with other machines, and compute a part of theirs; false when left out. */
      readonly spreads?: boolean;
    }
  | {
      readonly usable: false;
      /** The program that was found and does not do; null or left out when there is none. */
      readonly where?: string | null;
      /** Why not, for people: the end of a sentence, without its full stop. */
      readonly reason: string;
    };

/** Where an engine answers in OpenAI's way. */
export type EngineAddress =
  /** A Unix socket, or a named pipe on Windows. */
  | { readonly kind: "socket"; readonly path: string; readonly paths?: PathMap }
  | {
      readonly kind: "http";
      /** For example `http://127.0.0.1:8080`. */
      readonly origin: string;
      /** Sent with every request, in place of the asker's own of that name; in small letters. */
      readonly headers?: Readonly<Record<string, string>>;
      readonly paths?: PathMap;
    };

/** Paths that an engine serves under another name than our workers: ours to its own. */
export type PathMap = Readonly<Record<string, string>>;

/** One model that is to be served, and how. */
export interface Launch {
  readonly options: WorkerProcessOptions;
  /** Tokens of context per slot: as asked for, or chosen, and never above what the model was trained for unasked. */
  readonly contextPerSlot: number;
  /** As the model's header names it, for engines that must be told to go beyond what the header says. */
  readonly architecture: string | null;
  /** What its process gets beside this hive's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** More arguments of llama-server, which come last and count when an earlier one says otherwise. */
  readonly flags?: readonly string[];
  /** Takes what it writes to stdout and stderr. */
  readonly log: (chunk: string | Buffer) => void;
}

/** How a process ended, in words: `exit code 3`, `signal SIGKILL`. */
export type ExitReason = string;

export interface EngineEvents {
  /**
   * `loading` any number of times, then `ready` or `failed`; `activity` whenever that changed; `drained` once, after
   * `drain()`, when nothing is answered any more.
   */
  readonly message: (message: WorkerMessage) => void;
  /** Whether its end is to be told only when all that it said has been read. */
  readonly awaitsLastWords: () => boolean;
  /** Called exactly once. `startError` is set when the process could not even be started. */
  readonly exit: (reason: ExitReason, startError?: Error) => void;
}

/** One running process of an engine. It ends with this hive, even when that is killed with -9. */
export interface EngineProcess {
  /** Of the process that computes, so that its memory and time can be read; null when it could not be started. */
  readonly pid: number | null;
  /** To its address; null until that is known, at the latest when it is `ready`. Closed by whoever started it. */
  readonly connections: Dispatcher | null;
  /** Computes with so many threads of the processor from now on; engines that cannot change them leave it out. */
  useThreads?(threads: number): void;
  /**
   * It gets no more requests from here on: `drained` is told when it has answered the last. It is ended after `limitMs`
   * however far it is.
   */
  drain(limitMs: number): void;
  /** Ends it in good order and soon; for one that has drained. */
  leave(): void;
  /** Ends it at once. */
  kill(): void;
}

interface AnyEngine {
  readonly name: EngineName;
  /** A fresh look at whether it can be used here; takes some seconds at most and never rejects. */
  fingerprint(): Promise<Fingerprint>;
}

/**
 * An engine whose processes this hive starts. What an earlier hive that was killed may have left running is ended by
 * `RunFiles.endLeftovers` for all of them alike: an answer that lost its reader is of no use to anybody.
 */
export interface StartingEngine extends AnyEngine {
  readonly kind: "starts";
  /** Starts a process at once; everything that becomes of it is told by `events`, never before this has returned. */
  start(launch: Launch, events: EngineEvents): EngineProcess;
}

/** A server of somebody else that runs on this machine. */
export interface RunningServer {
  /** The same as long as it is the same server, after a restart of this hive too. */
  readonly key: string;
  readonly name: string;
  readonly version: string | null;
  readonly address: EngineAddress;
  /** As the server calls them. */
  readonly models: readonly string[];
}

/** An engine whose servers are there or not: found and used, never started or stopped by this hive. */
export interface FindingEngine extends AnyEngine {
  readonly kind: "finds";
  /** What runs now. May be asked again and again; takes some seconds at most and never rejects. */
  recover(): Promise<readonly RunningServer[]>;
}

/** What can serve a model: after Nomad's task drivers, as few words as a hive needs. */
export type Engine = StartingEngine | FindingEngine;
