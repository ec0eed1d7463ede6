import type { ServerResponse } from "node:http";
import type { Timings } from "@rbee/contract";
import type { GenerationRequest, Scheduler, TextOrigin } from "../scheduler/index.ts";
import { ChoiceGroup, type GenerationEnd } from "./choices.ts";

export interface WholeListener {
  text(choice: number, text: string, origin: TextOrigin): void;
  end(choice: number, ended: GenerationEnd): void;
}

/**
 * Waits until all choices are complete and answers their timings. `response` is only watched: when its reader leaves,
 * the work stops and this never settles.
 * @throws {RbeeError} `worker_busy`, or `internal_error` when the engine fails.
 */
export async function untilWhole(
  scheduler: Scheduler,
  requests: readonly GenerationRequest[],
  response: ServerResponse,
  listener: WholeListener,
  prompts = 1,
): Promise<Timings> {
  let group: ChoiceGroup | undefined;
  const leave = () => group?.cancel();
  response.once("close", leave);
  try {
    return await new Promise<Timings>((resolve, reject) => {
      const heard = {
        text: listener.text,
        end: (choice: number, ended: GenerationEnd, timings: Timings | null) => {
          listener.end(choice, ended);
          if (timings !== null) resolve(timings);
        },
        fail: reject,
      };
      group = new ChoiceGroup(scheduler, requests, heard, prompts);
      // Its reader may have left while the request was still being read.
      if (response.destroyed) leave();
    });
  } finally {
    response.off("close", leave);
  }
}
