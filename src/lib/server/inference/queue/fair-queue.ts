import { laneSchema, type Lane } from "@rbee/contract";

/** In the order in which they are served: people who wait for an answer go before work that nobody looks at. */
const lanes = laneSchema.options;

/** Somebody's place in the queue. */
export interface Ticket<T> {
  readonly userId: string;
  readonly lane: Lane;
  /** What serving it is expected to cost, in tokens. */
  readonly cost: number;
  readonly item: T;
}

interface Line<T> {
  readonly userId: string;
  readonly tickets: Ticket<T>[];
}

/** How many tokens a person gains with each turn. Smaller shares more finely, larger switches people less often. */
const defaultQuantum = 256;
/** The most turns that somebody may owe for requests which cost more than was expected. */
const mostTurnsOwed = 32;

/**
 * A queue that is fair between people, whatever the size and number of their requests: deficit round robin
 * (Shreedhar and Varghese, 1995) with tokens as cost. In each turn a person gains the quantum times their weight; a
 * request is served when what they have gained pays for it. The lanes are strict: `batch` is served when nobody waits
 * in `interactive`.
 */
export class FairQueue<T> {
  readonly #quantum: number;
  readonly #weight: (userId: string) => number;
  /** By lane: who waits, the next one to be looked at first. */
  readonly #lines: Record<Lane, Line<T>[]> = { interactive: [], batch: [] };
  /** What people have gained and not used; below zero when a request cost more than was expected. */
  readonly #deficits = new Map<string, number>();

  /** @param options.weight how much more than others a person gains; 1 unless said otherwise */
  constructor(options: { quantum?: number; weight?: (userId: string) => number } = {}) {
    this.#quantum = options.quantum ?? defaultQuantum;
    this.#weight = options.weight ?? (() => 1);
  }

  get size(): number {
    return lanes.reduce(
      (sum, lane) => sum + this.#lines[lane].reduce((more, line) => more + line.tickets.length, 0),
      0,
    );
  }

  /** How many requests a person has in the queue. */
  waitingOf(userId: string): number {
    const own = lanes.flatMap((lane) => this.#lines[lane].filter((line) => line.userId === userId));
    return own.reduce((sum, line) => sum + line.tickets.length, 0);
  }

  push(ticket: Ticket<T>): void {
    const lines = this.#lines[ticket.lane];
    const line = lines.find(({ userId }) => userId === ticket.userId);
    if (line === undefined) lines.push({ userId: ticket.userId, tickets: [ticket] });
    else line.tickets.push(ticket);
  }

  /** Takes a ticket out, as when its owner gave up; says whether it was there. */
  remove(ticket: Ticket<T>): boolean {
    const lines = this.#lines[ticket.lane];
    const line = lines.find(({ userId }) => userId === ticket.userId);
    const at = line?.tickets.indexOf(ticket) ?? -1;
    if (line === undefined || at === -1) return false;
    line.tickets.splice(at, 1);
    if (line.tickets.length === 0) this.#leave(lines, line);
    return true;
  }

  /**
   * Takes the ticket whose turn it is. @param servable leaves a person out while their next ticket cannot be served;
   * they keep what they have gained.
   */
  take(servable: (ticket: Ticket<T>) => boolean = () => true): Ticket<T> | undefined {
    for (const lane of lanes) {
      const ticket = this.#takeFrom(this.#lines[lane], servable);
      if (ticket !== undefined) return ticket;
    }
    return undefined;
  }

  /** Corrects what a person has, once it is known what a request really cost. */
  settle(userId: string, expectedCost: number, actualCost: number): void {
    const left = (this.#deficits.get(userId) ?? 0) + expectedCost - actualCost;
    this.#keep(userId, left);
  }

  /** The tickets in the order in which they would be served if nothing else came. */
  order(): Ticket<T>[] {
    const copy = new FairQueue<T>({ quantum: this.#quantum, weight: this.#weight });
    for (const lane of lanes)
      copy.#lines[lane].push(...this.#lines[lane].map(({ userId, tickets }) => ({ userId, tickets: [...tickets] })));
    for (const [userId, deficit] of this.#deficits) copy.#deficits.set(userId, deficit);
    return Array.from({ length: this.size }, () => copy.take()).filter((ticket) => ticket !== undefined);
  }

  #takeFrom(lines: Line<T>[], servable: (ticket: Ticket<T>) => boolean): Ticket<T> | undefined {
    const candidates = lines.flatMap((line) => {
      const [next] = line.tickets;
      return next !== undefined && servable(next) ? [{ line, next }] : [];
    });
    if (candidates.length === 0) return undefined;
    // Full turns that nobody's request would come of are given at once rather than one after the other.
    const turns = candidates.map(({ line, next }) => {
      const missing = next.cost - (this.#deficits.get(line.userId) ?? 0);
      return missing <= 0 ? 0 : Math.ceil(missing / this.#gain(line.userId));
    });
    const idle = Math.max(0, Math.min(...turns) - 1);
    if (idle > 0) for (const { line } of candidates) this.#add(line.userId, idle * this.#gain(line.userId));
    for (;;) {
      for (const { line, next } of candidates) {
        if ((this.#deficits.get(line.userId) ?? 0) < next.cost) this.#add(line.userId, this.#gain(line.userId));
        if ((this.#deficits.get(line.userId) ?? 0) < next.cost) continue;
        return this.#serve(lines, line, next);
      }
    }
  }

  #serve(lines: Line<T>[], line: Line<T>, ticket: Ticket<T>): Ticket<T> {
    line.tickets.shift();
    this.#add(line.userId, -ticket.cost);
    // The next turn begins with whoever comes after.
    const at = lines.indexOf(line);
    const [next] = line.tickets;
    if (next === undefined) this.#leave(lines, line);
    else if ((this.#deficits.get(line.userId) ?? 0) < next.cost) lines.push(...lines.splice(0, at + 1));
    else if (at > 0) lines.push(...lines.splice(0, at));
    return ticket;
  }

  /** Who waits for nothing gains nothing: only what they owe is remembered. */
  #leave(lines: Line<T>[], line: Line<T>): void {
    const at = lines.indexOf(line);
    lines.splice(at, 1);
    lines.push(...lines.splice(0, at));
    this.#keep(line.userId, this.#deficits.get(line.userId) ?? 0);
  }

  #keep(userId: string, deficit: number): void {
    // What was used while nobody waited was taken from nobody.
    if (this.size === 0) {
      this.#deficits.clear();
      return;
    }
    const owed = Math.max(deficit, -mostTurnsOwed * this.#gain(userId));
    const kept = this.waitingOf(userId) === 0 ? Math.min(0, owed) : owed;
    if (kept === 0) this.#deficits.delete(userId);
    else this.#deficits.set(userId, kept);
  }

  #add(userId: string, tokens: number): void {
    this.#deficits.set(userId, (this.#deficits.get(userId) ?? 0) + tokens);
  }

  #gain(userId: string): number {
    return this.#quantum * Math.max(0.01, this.#weight(userId));
  }
}
