import { JsonArguments, TaggedArguments, type ArgumentReader } from "./argument-readers.ts";
import type { ToolFormat } from "./tool-format.ts";

/** What a text of tool calls brings, in this order: a call's name, then its arguments in pieces. */
export type CallPiece =
  { readonly kind: "call"; readonly name: string } | { readonly kind: "arguments"; readonly text: string };

/** The properties of each tool's arguments, by the tool's name. */
export type ToolSchemas = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

type State =
  | { readonly is: "fixed"; readonly parts: readonly string[]; readonly next: "name" | "arguments" | "after" }
  | { readonly is: "name" }
  | { readonly is: "arguments"; readonly reader: ArgumentReader }
  | { readonly is: "after" }
  | { readonly is: "done" };

const partsOf = (text: string) => text.split(/\s+/u).filter((part) => part !== "");

/**
 * Reads the calls of an answer as they come, from what announces them on. Their text is held to the format by a
 * grammar; where none could be put on, and the text is no call after all, `failed` becomes true and `rest` has the text
 * that is not part of a call.
 */
export class CallReader {
  readonly #format: ToolFormat;
  readonly #tools: ToolSchemas;
  #called = "";
  #state: State;
  #text = "";
  /** All since the last whole call, in case that it is none. */
  #unfinished = "";
  #failed = false;

  constructor(format: ToolFormat, tools: ToolSchemas) {
    this.#format = format;
    this.#tools = tools;
    this.#state = { is: "fixed", parts: partsOf(format.open + format.call[0]), next: "name" };
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Whether no call is open. */
  get whole(): boolean {
    return (
      this.#state.is === "after" ||
      this.#state.is === "done" ||
      (this.#state.is === "fixed" && this.#state.next !== "arguments")
    );
  }

  /** What is not part of a call. */
  get rest(): string {
    return this.#failed ? this.#unfinished : "";
  }

  push(text: string): CallPiece[] {
    this.#unfinished += text;
    this.#text += text;
    const pieces: CallPiece[] = [];
    while (!this.#failed && this.#step(pieces));
    return pieces;
  }

  /** No more text comes: a call that has not even its name is none. */
  end(): void {
    if (this.#state.is === "name" || (this.#state.is === "fixed" && this.#state.next === "name")) {
      if (this.#unfinished.trim() !== "") this.#failed = true;
    }
  }

  /** Makes one move; false when it needs more text. */
  #step(pieces: CallPiece[]): boolean {
    switch (this.#state.is) {
      case "fixed":
        return this.#fixed(this.#state.parts, this.#state.next);
      case "name":
        return this.#name(pieces);
      case "arguments":
        return this.#arguments(pieces, this.#state.reader);
      case "after":
        return this.#after();
      case "done":
        this.#text = "";
        this.#unfinished = "";
        return false;
    }
  }

  #argumentReader(): ArgumentReader {
    if (this.#format.arguments === "json") return new JsonArguments();
    const [end = ""] = partsOf(this.#format.call[2]);
    return new TaggedArguments(this.#tools.get(this.#called) ?? {}, end);
  }

  #fixed(parts: readonly string[], next: "name" | "arguments" | "after"): boolean {
    const [part, ...others] = parts;
    if (part === undefined) {
      // Names follow directly; before arguments there may be white space.
      this.#state = next === "arguments" ? { is: next, reader: this.#argumentReader() } : { is: next };
      return true;
    }
    const text = this.#text.trimStart();
    if (text.startsWith(part)) {
      this.#text = text.slice(part.length);
      this.#state = { is: "fixed", parts: others, next };
      return true;
    }
    if (!part.startsWith(text)) this.#failed = true;
    return false;
  }

  #name(pieces: CallPiece[]): boolean {
    const name = /^[\w-]+(?=[^\w-])/u.exec(this.#text)?.[0];
    if (name === undefined) {
      if (!/^[\w-]*$/u.test(this.#text)) this.#failed = true;
      return false;
    }
    pieces.push({ kind: "call", name });
    this.#called = name;
    this.#unfinished = "";
    this.#text = this.#text.slice(name.length);
    this.#state = { is: "fixed", parts: partsOf(this.#format.call[1]), next: "arguments" };
    return true;
  }

  #arguments(pieces: CallPiece[], reader: ArgumentReader): boolean {
    if (this.#text === "") return false;
    const read = reader.push(this.#text);
    this.#text = "";
    if (read === "failed") {
      this.#failed = true;
      return false;
    }
    if (read.json !== "") pieces.push({ kind: "arguments", text: read.json });
    this.#unfinished = "";
    if (read.rest === null) return false;
    this.#text = read.rest;
    this.#state = { is: "fixed", parts: partsOf(this.#format.call[2]), next: "after" };
    return true;
  }

  #after(): boolean {
    const text = this.#text.trimStart();
    const { close, separator, call } = this.#format;
    if (text === "") return false;
    if (close !== "" && text.startsWith(close)) {
      this.#state = { is: "done" };
      return true;
    }
    if (close !== "" && close.startsWith(text)) return false;
    this.#unfinished = text;
    this.#state = { is: "fixed", parts: partsOf(separator + call[0]), next: "name" };
    return true;
  }
}
