import type { ReasoningMarkers } from "../templates/reasoning.ts";
import { beginsWith, MarkerSearch, type Found } from "../text/marker-search.ts";
import { CallReader, type ToolSchemas } from "../tools/call-reader.ts";
import type { ToolFormat } from "../tools/tool-format.ts";

/** A part of an answer, in the order in which they come. */
export type Piece =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "call"; readonly call: number; readonly name: string }
  | { readonly kind: "arguments"; readonly call: number; readonly text: string };

/** Tells the parts of an answer apart. */
export interface Reader {
  /** Whether it is reading thoughts. */
  readonly thinks: boolean;
  /** Whether it holds back text that may turn out to be content. */
  readonly holdsContent: boolean;
  /** Whether it called tools and the last call is complete. */
  readonly calledWhole: boolean;
  push(text: string): Piece[];
  /** What was held back, when no more text comes. */
  end(): Piece[];
}

export interface ReadingOptions {
  readonly reasoning: ReasoningMarkers | null;
  /** Whether the prompt ends inside the thoughts. */
  readonly opened: boolean;
  /** Null when no tool may be called. */
  readonly tools: ToolFormat | null;
  /** What the tools take, where that is needed to read a call. */
  readonly schemas?: ToolSchemas;
}

type Phase = "start" | "reasoning" | "before" | "content" | "calls";

/** Tells apart, in an answer's text, what was thought, what is said and which tools are called. */
export class AnswerReader implements Reader {
  readonly #options: ReadingOptions;
  readonly #close: MarkerSearch;
  readonly #triggers: MarkerSearch;
  #phase: Phase;
  /** Text whose meaning depends on what follows. */
  #held = "";
  #calls: CallReader | null = null;
  #callCount = 0;
  #thought = false;
  #afterThoughts = false;

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.#phase = options.opened ? "reasoning" : options.reasoning === null ? "before" : "start";
    this.#close = new MarkerSearch(options.reasoning === null ? [] : [options.reasoning.close]);
    this.#triggers = new MarkerSearch(options.tools?.triggers ?? []);
  }

  /** Whether it is reading thoughts. */
  get thinks(): boolean {
    return this.#phase === "reasoning";
  }

  get holdsContent(): boolean {
    switch (this.#phase) {
      case "start":
        return this.#held !== "";
      case "reasoning":
        return false;
      case "before":
        // White space after thoughts is not shown.
        return (this.#afterThoughts ? this.#held.trimStart() : this.#held) !== "";
      case "content":
        return this.#triggers.holding;
      case "calls":
        return true;
    }
  }

  /** Whether it called tools and the last call is complete. */
  get calledWhole(): boolean {
    return this.#callCount > 0 && this.#calls?.whole !== false;
  }

  push(text: string): Piece[] {
    const pieces: Piece[] = [];
    let rest: string | null = text;
    while (rest !== null) rest = this.#take(rest, pieces);
    return pieces;
  }

  /** What was held back, when no more text comes. */
  end(): Piece[] {
    const pieces: Piece[] = [];
    if (this.#phase === "reasoning") {
      const text = this.#held + this.#close.end();
      if (text.trimEnd() !== "") pieces.push({ kind: "reasoning", text: text.trimEnd() });
    } else if (this.#phase === "calls") {
      this.#calls?.end();
      this.#leaveFailedCalls(pieces);
    } else {
      const text = this.#held + this.#triggers.end();
      if (text !== "") pieces.push({ kind: "content", text });
    }
    this.#held = "";
    return pieces;
  }

  /** Reads on in the present phase. Answers what belongs to the next one, or null. */
  #take(text: string, pieces: Piece[]): string | null {
    switch (this.#phase) {
      case "start":
        return this.#start(text);
      case "reasoning":
        return this.#reasoning(text, pieces);
      case "before":
        return this.#before(text, pieces);
      case "content":
        return this.#content(text, pieces);
      case "calls":
        this.#readCalls(text, pieces);
        return null;
    }
  }

  /** Whether the answer begins with thoughts. */
  #start(text: string): string | null {
    const whole = this.#held + text;
    const found = beginsWith(whole, this.#options.reasoning === null ? [] : [this.#options.reasoning.open]);
    this.#held = found === "undecided" ? whole : "";
    if (found === "undecided") return null;
    this.#phase = found === "no" ? "before" : "reasoning";
    return found === "no" ? whole : found.after;
  }

  /** Thoughts, without the white space around them. */
  #reasoning(text: string, pieces: Piece[]): string | null {
    const found = this.#close.push(text);
    const more = this.#held + (typeof found === "string" ? found : found.before);
    const shown = this.#thought ? more : more.trimStart();
    const body = shown.trimEnd();
    this.#held = shown.slice(body.length);
    if (body !== "") {
      this.#thought = true;
      pieces.push({ kind: "reasoning", text: body });
    }
    if (typeof found === "string") return null;
    this.#held = "";
    this.#phase = "before";
    this.#afterThoughts = true;
    return found.after;
  }

  /** The first text of the answer itself, which may be a call. */
  #before(text: string, pieces: Piece[]): string | null {
    const { tools } = this.#options;
    if (tools === null && !this.#afterThoughts) {
      this.#phase = "content";
      return text;
    }
    const whole = this.#held + text;
    this.#held = "";
    const markers = tools === null ? [] : [...tools.startTriggers, ...tools.triggers];
    const found = beginsWith(whole, markers);
    if (found === "undecided" || (found === "no" && whole.trimStart() === "")) {
      this.#held = whole;
      return null;
    }
    this.#phase = "content";
    if (found === "no") return this.#afterThoughts ? whole.trimStart() : whole;
    return this.#begin(found, pieces);
  }

  #content(text: string, pieces: Piece[]): string | null {
    if (this.#options.tools === null) {
      if (text !== "") pieces.push({ kind: "content", text });
      return null;
    }
    const found = this.#triggers.push(text);
    const shown = typeof found === "string" ? found : found.before;
    if (shown !== "") pieces.push({ kind: "content", text: shown });
    return typeof found === "string" ? null : this.#begin(found, pieces);
  }

  #begin(found: Found, pieces: Piece[]): string | null {
    const { tools } = this.#options;
    if (tools === null) return null;
    this.#phase = "calls";
    this.#calls = new CallReader(tools, this.#options.schemas ?? new Map());
    this.#readCalls(textOfCalls(tools, found), pieces);
    return null;
  }

  #readCalls(text: string, pieces: Piece[]): void {
    for (const piece of this.#calls?.push(text) ?? []) {
      if (piece.kind === "call") pieces.push({ kind: "call", call: this.#callCount++, name: piece.name });
      else pieces.push({ kind: "arguments", call: this.#callCount - 1, text: piece.text });
    }
    if (this.#calls?.failed === true) this.#leaveFailedCalls(pieces);
  }

  /** What looked like a call and is none is said to the person. */
  #leaveFailedCalls(pieces: Piece[]): void {
    const rest = this.#calls?.rest ?? "";
    if (this.#calls?.failed !== true) return;
    this.#phase = "content";
    this.#calls = null;
    if (rest !== "") pieces.push({ kind: "content", text: rest });
  }
}

/** The text of calls, from their beginning on. Some announcements are part of it, others stand before it. */
export function textOfCalls(format: ToolFormat, { marker, after }: Found): string {
  return (format.open + format.call[0]).startsWith(marker) ? marker + after : after;
}
