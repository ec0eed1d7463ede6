import type { Constraint, Grammar } from "../engine/engine.ts";
import type { Guide } from "../scheduler/index.ts";
import { beginsWith, MarkerSearch, type Found } from "../text/marker-search.ts";
import type { ToolFormat } from "../tools/tool-format.ts";
import { textOfCalls, type ReadingOptions } from "./answer-reader.ts";

/** Puts an answer under its grammar as soon as its thoughts are over. */
export class AfterThoughtsGuide implements Guide {
  readonly #grammar: Grammar;
  #close: MarkerSearch | null;

  constructor(close: string, grammar: Grammar) {
    this.#close = new MarkerSearch([close]);
    this.#grammar = grammar;
  }

  push(text: string): Constraint | null {
    const found = this.#close?.push(text) ?? "";
    if (typeof found === "string") return null;
    this.#close = null;
    return { grammar: this.#grammar, already: found.after.trimStart() };
  }
}

/** Puts an answer under the grammar of tool calls as soon as it announces one. */
export class CallGuide implements Guide {
  readonly #format: ToolFormat;
  readonly #grammar: Grammar;
  readonly #triggers: MarkerSearch;
  readonly #close: MarkerSearch | null;
  #phase: "reasoning" | "start" | "content" | "done";
  #held = "";
  readonly #options: ReadingOptions;

  constructor(format: ToolFormat, grammar: Grammar, options: ReadingOptions) {
    this.#format = format;
    this.#grammar = grammar;
    this.#options = options;
    this.#triggers = new MarkerSearch(format.triggers);
    this.#close = options.reasoning === null ? null : new MarkerSearch([options.reasoning.close]);
    this.#phase = options.opened ? "reasoning" : "start";
  }

  push(text: string): Constraint | null {
    let rest: string | null = text;
    while (rest !== null) {
      const next: string | Constraint | null = this.#take(rest);
      if (next !== null && typeof next !== "string") return next;
      rest = next;
    }
    return null;
  }

  #take(text: string): string | Constraint | null {
    if (this.#phase === "reasoning") {
      const found = this.#close?.push(text) ?? "";
      if (typeof found === "string") return null;
      this.#phase = "start";
      return found.after;
    }
    if (this.#phase === "start") return this.#start(text);
    if (this.#phase === "done") return null;
    const found = this.#triggers.push(text);
    return typeof found === "string" ? null : this.#begin(found);
  }

  #start(text: string): string | Constraint | null {
    const whole = this.#held + text;
    this.#held = "";
    const { reasoning, opened } = this.#options;
    const thoughts = reasoning === null || opened ? [] : [reasoning.open];
    const found = beginsWith(whole, [...thoughts, ...this.#format.startTriggers, ...this.#format.triggers]);
    if (found === "undecided") {
      this.#held = whole;
      return null;
    }
    if (found !== "no" && thoughts.includes(found.marker)) {
      this.#phase = "reasoning";
      return found.after;
    }
    this.#phase = "content";
    return found === "no" ? whole : this.#begin(found);
  }

  #begin(found: Found): Constraint {
    this.#phase = "done";
    return { grammar: this.#grammar, already: textOfCalls(this.#format, found) };
  }
}
