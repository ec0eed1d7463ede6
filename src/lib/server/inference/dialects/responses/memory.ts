import { RbeeError, type ChatMessage, type ModelResponse } from "@rbee/contract";

/** A response that a later request may go on from. */
interface Remembered {
  readonly userId: string;
  readonly response: ModelResponse;
  /** Everything said so far, the answer included; no instructions. */
  readonly conversation: readonly ChatMessage[];
  readonly bytes: number;
  readonly until: number;
}

/** Responses live this long. */
export const rememberedMs = 60 * 60_000;
const mostBytes = 32 * 1024 * 1024;
const mostPerPerson = 200;

const unknown = (id: string) =>
  new RbeeError("invalid_request", `There is no response ${id} that can be gone on from.`, {
    param: "previous_response_id",
    suggestion: "Responses are kept in memory for an hour, for the person who asked, unless `store` is false.",
  });

/**
 * The responses of the last hour, in memory only: what people say to a model is not stored. The oldest go first when
 * there are too many.
 */
export class ResponseMemory {
  readonly #kept = new Map<string, Remembered>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  keep(userId: string, response: ModelResponse, conversation: readonly ChatMessage[]): void {
    this.#dropOld();
    const bytes = (JSON.stringify(conversation).length + JSON.stringify(response).length) * 2;
    if (bytes > mostBytes) return;
    this.#kept.set(response.id, { userId, response, conversation, bytes, until: this.#now() + rememberedMs });
    this.#bytes += bytes;
    const own = [...this.#kept].filter(([, kept]) => kept.userId === userId);
    for (const [id] of own.slice(0, Math.max(0, own.length - mostPerPerson))) this.#drop(id);
    for (const id of this.#kept.keys()) {
      if (this.#bytes <= mostBytes) break;
      this.#drop(id);
    }
  }

  /** What was said up to a response. @throws {RbeeError} `invalid_request` when it is gone, or another person's. */
  conversation(userId: string, id: string): readonly ChatMessage[] {
    return this.#find(userId, id)?.conversation ?? this.#refuse(id);
  }

  /** @throws {RbeeError} `not_found` when it is gone, or another person's. */
  response(userId: string, id: string): ModelResponse {
    const found = this.#find(userId, id);
    if (found === undefined) throw new RbeeError("not_found", `There is no response ${id}.`);
    return found.response;
  }

  /** Forgets a response of that person's; another one's stays. */
  forget(userId: string, id: string): void {
    if (this.#find(userId, id) !== undefined) this.#drop(id);
  }

  #refuse(id: string): never {
    throw unknown(id);
  }

  #find(userId: string, id: string): Remembered | undefined {
    this.#dropOld();
    const found = this.#kept.get(id);
    return found?.userId === userId ? found : undefined;
  }

  /** They are in the order of their age. */
  #dropOld(): void {
    for (const [id, { until }] of this.#kept) {
      if (until > this.#now()) return;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }
}
