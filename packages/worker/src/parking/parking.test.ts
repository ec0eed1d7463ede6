import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Parking } from "./parking.ts";
import { ParkingKey } from "./parking-key.ts";
import { Scratch, type ScratchFile } from "./scratch.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rbee-parking-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function newKey(): ParkingKey {
  const key = ParkingKey.from(randomBytes(32).toString("base64url"));
  if (key === null) throw new Error("a key of 256 bits is refused");
  return key;
}

const [ada, ben] = [newKey(), newKey()];
const ours = Buffer.alloc(32, 1);
const conversation = (begins: number, length = 200) => Array.from({ length }, (_, index) => begins + index);
/** More than one piece. */
const state = randomBytes(2.5 * 1024 ** 2);

function parkingOf(options: { binding?: Buffer; limitBytes?: number; marginBytes?: number } = {}) {
  const log: string[] = [];
  const say = (_: object, message: string) => void log.push(message);
  const scratch = new Scratch(folder);
  const parking = new Parking({
    folder,
    limitBytes: 1024 ** 3,
    marginBytes: 0,
    binding: ours,
    scratch,
    log: { info: say, warn: say },
    ...options,
  });
  const store = async (key: ParkingKey, tokens: number[]) => {
    const file = scratch.open(state.length);
    file.write(state, 0);
    await parking.store(key, tokens, file);
  };
  return { parking, store, log };
}

const files = () => readdirSync(folder).map((name) => join(folder, name));
const bytesIn = (file: ScratchFile | null) => {
  const bytes = Buffer.alloc(file?.bytes ?? 0);
  file?.read(bytes, 0);
  file?.close();
  return bytes;
};

describe("Parking", () => {
  it("gives a conversation back to its user, as it was", async () => {
    const { parking, store } = parkingOf();
    await store(ada, conversation(1));
    await store(ada, conversation(1000));
    const match = parking.find(ada, [...conversation(1000), 7, 8]);
    expect(match?.shared).toBe(200);
    if (match !== null) expect(bytesIn(await parking.open(match)).equals(state)).toBe(true);
    expect(parking.find(ada, conversation(5000))).toBeNull();
  });

  it("shows nobody else anything of it, nor another engine", async () => {
    const { parking, store } = parkingOf();
    await store(ada, conversation(1));
    expect(parking.find(ben, conversation(1))).toBeNull();
    expect(parkingOf({ binding: Buffer.alloc(32, 2) }).parking.find(ada, conversation(1))).toBeNull();
    const [path = ""] = files();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const sealed = readFileSync(path);
    const tokens = Buffer.from(Uint32Array.from(conversation(1)).buffer);
    for (const plain of [tokens.subarray(0, 16), tokens.subarray(400, 416), state.subarray(0, 16), state.subarray(-16)])
      expect(sealed.includes(plain)).toBe(false);
    // Under the name of one of Ben's own files, too.
    const theirs = parkingOf();
    await theirs.store(ben, conversation(1));
    const bens = files().find((file) => file !== path) ?? "";
    writeFileSync(bens, sealed);
    const fresh = parkingOf();
    expect(fresh.parking.find(ben, conversation(1))).toBeNull();
    expect(fresh.log).toEqual([expect.stringContaining("cannot be used")]);
  });

  it("refuses and removes what was changed anywhere, cut off, or put together from two", async () => {
    const { store } = parkingOf();
    await store(ada, conversation(1));
    const [path = ""] = files();
    const whole = readFileSync(path);
    const piece = 1024 ** 2 + 16;
    const flipped = (at: number) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes.at(at) ?? 0) ^ 1;
      return bytes;
    };
    const swapped = Buffer.from(whole);
    const states = whole.length - (state.length + 3 * 16);
    whole.copy(swapped, states, states + piece, states + 2 * piece);
    whole.copy(swapped, states + piece, states, states + piece);
    const damaged = [
      ...[0, 8, 20, 41, 50, 100, states, states + piece + 5, whole.length - 1].map(flipped),
      whole.subarray(0, whole.length - 1),
      whole.subarray(0, states + piece),
      whole.subarray(0, 60),
      Buffer.concat([whole, Buffer.alloc(1)]),
      Buffer.alloc(0),
      swapped,
    ];
    for (const bytes of damaged) {
      writeFileSync(path, bytes);
      const { parking, log } = parkingOf();
      const match = parking.find(ada, conversation(1));
      if (match !== null) expect(await parking.open(match)).toBeNull();
      expect(log).toEqual([expect.stringContaining("cannot be used and is removed")]);
      expect(files()).toEqual([]);
    }
  });

  it("keeps the latest of a conversation, and nothing twice", async () => {
    const { store } = parkingOf();
    await store(ada, conversation(1));
    await store(ada, conversation(1, 300));
    expect(files()).toHaveLength(1);
    await store(ada, conversation(1, 250));
    await store(ada, conversation(1, 300));
    expect(files()).toHaveLength(1);
    await store(ben, conversation(1, 300));
    expect(files()).toHaveLength(2);
  });

  it("stays within its limit by removing those used longest ago", async () => {
    const { parking, store, log } = parkingOf({ limitBytes: 2.2 * state.length });
    await store(ada, conversation(1));
    await store(ben, conversation(2000));
    const long = (path: string, seconds: number) => {
      utimesSync(path, seconds, seconds);
    };
    for (const path of files()) long(path, 1000);
    const used = parking.find(ada, conversation(1));
    if (used !== null) bytesIn(await parking.open(used));
    await store(ada, conversation(3000));
    expect(files()).toHaveLength(2);
    expect([parking.find(ada, conversation(1))?.shared, parking.find(ben, conversation(2000))]).toEqual([200, null]);
    expect(log.join()).not.toContain("not parked");
    const small = parkingOf({ limitBytes: 1000 });
    await small.store(ada, conversation(4000));
    expect(small.log).toEqual([expect.stringContaining("larger than all parked conversations may be")]);
    expect(files()).toHaveLength(2);
  });

  it("parks nothing where the disk is full or the folder is gone, and says so", async () => {
    const full = parkingOf({ marginBytes: Number.MAX_SAFE_INTEGER / 2 });
    await full.store(ada, conversation(1));
    expect(full.log).toEqual([expect.stringContaining("the disk has no room")]);
    expect(files()).toEqual([]);
    const gone = parkingOf();
    await gone.store(ada, conversation(1));
    const match = gone.parking.find(ada, conversation(1));
    rmSync(folder, { recursive: true });
    if (match !== null) expect(await gone.parking.open(match)).toBeNull();
    await gone.store(ada, conversation(2000));
    expect(gone.log.at(-1)).toContain("could not be parked");
    expect(gone.parking.find(ada, conversation(1))).toBeNull();
  });
});
