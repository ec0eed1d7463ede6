import { MarkerSearch } from "../text/marker-search.ts";
import { isTextSchema, valueOf } from "./tagged-values.ts";

/** Reads the arguments of one call and tells them as JSON text, piece by piece. */
export interface ArgumentReader {
  /** What the text adds to the JSON; `rest` is what follows the arguments, null while they go on. */
  push(text: string): { readonly json: string; readonly rest: string | null } | "failed";
}

/** Arguments that are written as a JSON object. */
export class JsonArguments implements ArgumentReader {
  #begun = false;
  #depth = 0;
  #inString = false;
  #escaped = false;

  push(text: string) {
    const body = this.#begun ? text : text.trimStart();
    if (body === "") return { json: "", rest: null };
    if (!this.#begun && !body.startsWith("{")) return "failed";
    this.#begun = true;
    const end = this.#endOfObject(body);
    return end === -1 ? { json: body, rest: null } : { json: body.slice(0, end), rest: body.slice(end) };
  }

  /** Where the object that is being read ends; -1 when that is still to come. */
  #endOfObject(text: string): number {
    for (let at = 0; at < text.length; at++) {
      const character = text[at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (character === "\\") this.#escaped = true;
        else if (character === '"') this.#inString = false;
      } else if (character === '"') this.#inString = true;
      else if (character === "{" || character === "[") this.#depth++;
      else if ((character === "}" || character === "]") && --this.#depth === 0) return at + 1;
    }
    return -1;
  }
}

const parameterStart = "<parameter=";
const endMarkers = ["\n</parameter>", "</parameter>"];

/** Arguments that are written between tags, each by its name: texts as they are, all else as JSON. */
export class TaggedArguments implements ArgumentReader {
  readonly #properties: Readonly<Record<string, unknown>>;
  readonly #end: string;
  #text = "";
  #count = 0;
  #value: { readonly schema: unknown; readonly isText: boolean; readonly end: MarkerSearch; raw: string } | null = null;
  #valueBegun = false;

  /** `properties` are those of the tool's schema; `end` is what follows the last argument. */
  constructor(properties: Readonly<Record<string, unknown>>, end: string) {
    this.#properties = properties;
    this.#end = end;
  }

  push(text: string) {
    this.#text += text;
    let json = "";
    for (;;) {
      const step = this.#value === null ? this.#between() : this.#inside();
      if (step === "failed") return step;
      json += step.json;
      if (step.done === "all") return { json, rest: this.#text };
      if (step.done === "waits") return { json, rest: null };
    }
  }

  #between(): { json: string; done: "part" | "all" | "waits" } | "failed" {
    const text = this.#text.trimStart();
    if (text.startsWith(this.#end)) {
      this.#text = text;
      return { json: this.#count === 0 ? "{}" : "}", done: "all" };
    }
    const name = /^<parameter=([^>]*)>/u.exec(text)?.[1];
    if (name === undefined) {
      const possible = [this.#end, parameterStart].some((start) => start.startsWith(text) || text.startsWith(start));
      return possible ? { json: "", done: "waits" } : "failed";
    }
    this.#text = text.slice(parameterStart.length + name.length + 1);
    const schema = Object.hasOwn(this.#properties, name) ? this.#properties[name] : undefined;
    const isText = isTextSchema(schema);
    this.#value = { schema, isText, end: new MarkerSearch(endMarkers), raw: "" };
    this.#valueBegun = false;
    const before = this.#count++ === 0 ? "{" : ", ";
    return { json: `${before}${JSON.stringify(name)}: ${isText ? '"' : ""}`, done: "part" };
  }

  #inside(): { json: string; done: "part" | "waits" } {
    const value = this.#value;
    if (value === null || this.#text === "") return { json: "", done: "waits" };
    let text = this.#text;
    // The line break after the tag is not part of the value, but `\n</parameter>` right after it ends one.
    if (!this.#valueBegun && text === "\n") return { json: "", done: "waits" };
    if (!this.#valueBegun && text.startsWith("\n") && !text.startsWith("\n</")) text = text.slice(1);
    else if (
      !this.#valueBegun &&
      text.startsWith("\n</") &&
      !endMarkers.some((end) => end.startsWith(text) || text.startsWith(end))
    )
      text = text.slice(1);
    else if (!this.#valueBegun && text.startsWith("\n") && !endMarkers.some((end) => text.startsWith(end)))
      return { json: "", done: "waits" };
    this.#valueBegun = true;
    this.#text = "";
    const found = value.end.push(text);
    const more = typeof found === "string" ? found : found.before;
    if (!value.isText) value.raw += more;
    const json = value.isText ? JSON.stringify(more).slice(1, -1) : "";
    if (typeof found === "string") return { json, done: "waits" };
    this.#text = found.after;
    this.#value = null;
    return { json: json + (value.isText ? '"' : JSON.stringify(valueOf(value.raw, value.schema))), done: "part" };
  }
}
