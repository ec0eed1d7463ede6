import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Piece } from "../engine/engine.ts";
import { StopWatch } from "./stop-watch.ts";
import { Utf8Text } from "./utf8-text.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function pieceOf(bytes: Uint8Array): Piece {
  try {
    return { bytes, text: strict.decode(bytes) };
  } catch {
    return { bytes, text: null };
  }
}

/** Cuts at any byte, as byte-level tokens do. */
function cut(bytes: Uint8Array, places: readonly number[]): Piece[] {
  const edges = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((one, other) => one - other);
  return [0, ...edges].map((from, index) => pieceOf(bytes.subarray(from, edges[index] ?? bytes.length)));
}

/** Characters of one to four bytes. */
const characters = ["a", " ", "\n", "é", "ß", "日", "€", "\uFEFF", "🐝", "\u{10FFFF}"];
const anyText = fc.array(fc.constantFrom(...characters), { maxLength: 40 }).map((parts) => parts.join(""));

describe("Utf8Text", () => {
  it("gives the same text however its bytes are cut, and whole characters only", () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat(200), { maxLength: 12 }), (text, places) => {
        const utf8 = new Utf8Text();
        const parts = cut(new TextEncoder().encode(text), places).map((piece) => utf8.push(piece));
        expect(parts.join("") + utf8.end()).toBe(text);
        expect(parts.every((part) => part.isWellFormed())).toBe(true);
      }),
    );
  });

  it("holds a bee back until its fourth byte has come", () => {
    const utf8 = new Utf8Text();
    const parts = Array.from(new TextEncoder().encode("🐝"), (byte) => utf8.push(pieceOf(Uint8Array.of(byte))));
    expect(parts).toEqual(["", "", "", "🐝"]);
  });

  it("keeps a byte order mark, which is text here", () => {
    const utf8 = new Utf8Text();
    expect(utf8.push(pieceOf(Uint8Array.of(0xef))) + utf8.push(pieceOf(Uint8Array.of(0xbb, 0xbf)))).toBe("\uFEFF");
  });

  it("shows a character that was never finished only at the end, as U+FFFD", () => {
    const utf8 = new Utf8Text();
    expect(utf8.push(pieceOf(Uint8Array.of(0xf0, 0x9f)))).toBe("");
    expect(utf8.end()).toBe("\uFFFD");
  });

  it("does not lose an unfinished character when whole ones follow", () => {
    const utf8 = new Utf8Text();
    const text = utf8.push(pieceOf(Uint8Array.of(0xf0, 0x9f))) + utf8.push(pieceOf(Uint8Array.of(0x61)));
    expect(text + utf8.end()).toBe("\uFFFDa");
  });
});

describe("StopWatch", () => {
  const few = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 40 });

  it("lets out exactly what stands before the first stop string, however the text is cut", () => {
    fc.assert(
      fc.property(
        few,
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), { maxLength: 4 }),
        fc.array(fc.nat(40), { maxLength: 12 }),
        (text, stops, places) => {
          const watch = new StopWatch(stops);
          const edges = places.map((place) => place % (text.length + 1)).sort((one, other) => one - other);
          let shown = "";
          for (const [index, from] of [0, ...edges].entries()) {
            shown += watch.push(text.slice(from, edges[index] ?? text.length));
            // What is out must stay true whatever follows: it never reaches into a stop string.
            expect(stops.some((stop) => shown.includes(stop))).toBe(false);
          }
          const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at !== -1);
          const expected = found.length === 0 ? text : text.slice(0, Math.min(...found));
          expect(watch.found !== null).toBe(found.length > 0);
          expect(shown + watch.end()).toBe(expected);
        },
      ),
    );
  });

  it("holds back no more than could still become a stop string", () => {
    const watch = new StopWatch(["STOP"]);
    expect(watch.push("one ST")).toBe("one ");
    expect(watch.push("AR")).toBe("STAR");
    expect(watch.push(" STO")).toBe(" ");
    expect(watch.push("P and more")).toBe("");
    expect(watch.found).not.toBeNull();
  });

  it("gives back at the end what never became a stop string", () => {
    const watch = new StopWatch(["\n\n"]);
    expect(watch.push("end\n")).toBe("end");
    expect(watch.end()).toBe("\n");
  });
});
