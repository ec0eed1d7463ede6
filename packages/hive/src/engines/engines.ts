import { RbeeError, usualEngine, type Backend, type Engine as EngineName, type EngineFact } from "@rbee/contract";
import type { Engine, Fingerprint, StartingEngine } from "./engine.ts";

export { usualEngine };

export interface Usable {
  readonly engine: StartingEngine;
  /** What it can compute with, if the machine has it; null for what the hive's own workers can. */
  readonly backends: readonly Backend[] | null;
}

/** Every engine that this hive knows of, and what the last look at each found. */
export class Engines {
  readonly all: readonly Engine[];
  readonly #found = new Map<EngineName, Fingerprint>();
  #looking: Promise<void> | undefined;

  constructor(all: readonly Engine[]) {
    this.all = all;
  }

  /** Looks at all of them again; whoever asks meanwhile gets the same look. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    const found = await Promise.all(this.all.map((engine) => engine.fingerprint()));
    for (const [position, engine] of this.all.entries()) {
      const fingerprint = found[position];
      if (fingerprint !== undefined) this.#found.set(engine.name, fingerprint);
    }
  }

  /** Those that can be used, as of the last look. */
  get usable(): EngineName[] {
    return this.all.map(({ name }) => name).filter((name) => this.#found.get(name)?.usable === true);
  }

  /** What is known of each, for capabilities. */
  get facts(): EngineFact[] {
    return this.all.flatMap(({ name }): EngineFact[] => {
      const found = this.#found.get(name);
      if (found === undefined) return [];
      if (!found.usable)
        return [{ engine: name, version: null, where: found.where ?? null, backends: null, problem: found.reason }];
      const { version, where, backends, spreads } = found;
      const told = backends === undefined ? null : [...backends];
      return [
        { engine: name, version, where, backends: told, ...(spreads === true ? { spreads } : {}), problem: null },
      ];
    });
  }

  /**
   * The engine that a worker is to be started with, after a fresh look when it was not usable.
   * @throws {RbeeError} `backend_unavailable` with the reason when it cannot be used here, or starts nothing.
   */
  async toStart(name: EngineName = usualEngine): Promise<Usable> {
    const engine = this.all.find((one) => one.name === name);
    if (engine?.kind !== "starts") throw this.#unusable(name, "a hive cannot start it");
    const known = this.#found.get(name);
    const found = known?.usable === true ? known : await this.#lookAt(engine);
    if (!found.usable) throw this.#unusable(name, found.reason);
    return { engine, backends: found.backends ?? null };
  }

  #unusable(name: EngineName, reason: string): RbeeError {
    return new RbeeError("backend_unavailable", `This hive cannot use the engine ${name}: ${reason}.`, {
      param: "engine",
      details: { requested: name, available_engines: this.usable },
      suggestion:
        "Put a llama-server on that machine's PATH or name it by RBEE_LLAMA_SERVER there, build one with `npm run llama:build` where its sources are, or take another engine.",
    });
  }

  async #lookAt(engine: Engine): Promise<Fingerprint> {
    const found = await engine.fingerprint();
    this.#found.set(engine.name, found);
    return found;
  }
}
