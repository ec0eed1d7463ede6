import type { Engine } from "../engine/engine.ts";
import type { Load, Scheduler } from "../scheduler/index.ts";
import type { PromptMaker } from "../templates/chat-template.ts";
import type { ChatAbilities } from "./chat-plan.ts";

/** A loaded model, ready to answer. */
export interface ReadyModel {
  readonly engine: Engine;
  readonly scheduler: Scheduler;
  readonly prompts: PromptMaker;
  readonly abilities: ChatAbilities;
  /** How busy it is, embedding included. */
  load(): Load;
  /** When it was loaded, Unix time in seconds. */
  readonly loadedAt: number;
}

/** A worker that embeds is at work, too, though none of its slots is. */
export function loadWith(load: Load, embedding: boolean): Load {
  return embedding ? { ...load, slotsBusy: Math.min(load.slotsTotal, load.slotsBusy + 1) } : load;
}
