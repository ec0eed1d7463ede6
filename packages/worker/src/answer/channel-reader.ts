import { MarkerSearch } from "../text/marker-search.ts";
import type { Piece, Reader } from "./answer-reader.ts";

/** Texts of the control tokens between the messages of an answer, in OpenAI's harmony format. */
export const channelMarkers = ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"] as const;
/** What stands before the answer that a person sees. */
export const finalChannel = "<|channel|>final<|message|>";

type Kind = "reasoning" | "content" | "arguments";

/**
 * Reads an answer that is several messages on channels of their own: `analysis` is what is thought, `commentary` with a
 * recipient is a call, everything else is said.
 */
export class ChannelReader implements Reader {
  #header: MarkerSearch | null = new MarkerSearch(["<|message|>"]);
  #headerText = "";
  #body = new MarkerSearch(["<|start|>", "<|channel|>", "<|end|>"]);
  #kind: Kind = "content";
  #calls = 0;

  get thinks(): boolean {
    return this.#header === null && this.#kind === "reasoning";
  }

  get holdsContent(): boolean {
    if (this.#header === null) return this.#kind === "content" && this.#body.holding;
    return (this.#headerText !== "" || this.#header.holding) && !this.#hasMarker(this.#headerText);
  }

  get calledWhole(): boolean {
    return this.#calls > 0;
  }

  push(text: string): Piece[] {
    const pieces: Piece[] = [];
    let rest: string | null = text;
    while (rest !== null) rest = this.#header === null ? this.#inBody(rest, pieces) : this.#inHeader(rest, pieces);
    return pieces;
  }

  end(): Piece[] {
    const pieces: Piece[] = [];
    if (this.#header === null) this.#say(this.#body.end(), pieces);
    else {
      // A header that nothing follows is no message, unless it is plain text, which some finetunes answer.
      const text = this.#headerText + this.#header.end();
      if (text !== "" && !this.#hasMarker(text)) pieces.push({ kind: "content", text });
    }
    return pieces;
  }

  #hasMarker(text: string): boolean {
    return channelMarkers.some((marker) => text.includes(marker));
  }

  #inHeader(text: string, pieces: Piece[]): string | null {
    const found = this.#header?.push(text) ?? "";
    this.#headerText += typeof found === "string" ? found : found.before;
    if (typeof found === "string") return null;
    const recipient = /to=functions\.([\w-]+)/u.exec(this.#headerText)?.[1];
    if (recipient !== undefined) {
      this.#kind = "arguments";
      pieces.push({ kind: "call", call: this.#calls++, name: recipient });
    } else this.#kind = this.#headerText.includes("<|channel|>analysis") ? "reasoning" : "content";
    this.#header = null;
    this.#headerText = "";
    return found.after;
  }

  #inBody(text: string, pieces: Piece[]): string | null {
    const found = this.#body.push(text);
    this.#say(typeof found === "string" ? found : found.before, pieces);
    if (typeof found === "string") return null;
    this.#header = new MarkerSearch(["<|message|>"]);
    this.#headerText = found.marker === "<|end|>" ? "" : found.marker;
    return found.after;
  }

  #say(text: string, pieces: Piece[]): void {
    if (text === "") return;
    if (this.#kind === "arguments") pieces.push({ kind: "arguments", call: this.#calls - 1, text });
    else pieces.push({ kind: this.#kind, text });
  }
}
