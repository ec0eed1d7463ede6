import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { ParkingKey } from "./parking-key.ts";
import type { ScratchFile } from "./scratch.ts";

/**
 * A parked conversation's file: mark, salt, the length of the sealed head, the head (the state's bytes and the tokens),
 * then the state in pieces. Each part is sealed by itself (AES-256-GCM) with its number as nonce, under a key of this
 * file alone, and together with what the file is bound to. So nothing unauthenticated is ever used, a piece can neither
 * be left out nor moved, and the head can be read without the rest.
 */
const mark = Buffer.from("rbeepk1\n");
const saltBytes = 32;
const tagBytes = 16;
const pieceBytes = 1024 ** 2;
const prefixBytes = mark.length + saltBytes + 4;
/** More tokens than any context has. */
const mostTokens = 16 * 1024 ** 2;

/** What makes a file useless here; the message says why. */
export class SealedFileError extends Error {
  override readonly name = "SealedFileError";
}

interface Seal {
  readonly key: Buffer;
  readonly associated: Buffer;
}

const sealOf = (key: ParkingKey, salt: Buffer, binding: Buffer): Seal => ({
  key: key.fileKey(salt),
  associated: Buffer.concat([mark, salt, binding]),
});

function nonceOf(part: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(part, 8);
  return nonce;
}

function sealed({ key, associated }: Seal, part: number, plain: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(part));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function opened({ key, associated }: Seal, part: number, bytes: Buffer): Buffer {
  if (bytes.length < tagBytes) throw new SealedFileError("it is cut off");
  const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(part), { authTagLength: tagBytes });
  decipher.setAAD(associated);
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  const plain = decipher.update(bytes.subarray(0, bytes.length - tagBytes));
  try {
    decipher.final();
  } catch {
    throw new SealedFileError("it was changed, or belongs to something else");
  }
  return plain;
}

/** The size of the file that `writeSealed` makes. */
export const sealedBytes = (tokens: number, stateBytes: number): number =>
  prefixBytes + 12 + tokens * 4 + stateBytes + (Math.ceil(stateBytes / pieceBytes) + 1) * tagBytes;

export interface Sealing {
  readonly key: ParkingKey;
  readonly binding: Buffer;
  readonly tokens: readonly number[];
  readonly state: ScratchFile;
  readonly signal?: AbortSignal | undefined;
}

/** Writes a new file at `path`, readable by this user alone. Throws what the file system throws, or the signal's reason. */
export async function writeSealed(path: string, { key, binding, tokens, state, signal }: Sealing): Promise<void> {
  const salt = randomBytes(saltBytes);
  const seal = sealOf(key, salt, binding);
  const head = Buffer.alloc(12 + tokens.length * 4);
  head.writeBigUInt64LE(BigInt(state.bytes), 0);
  head.writeUInt32LE(tokens.length, 8);
  tokens.forEach((token, index) => head.writeUInt32LE(token, 12 + index * 4));
  const sealedHead = sealed(seal, 0, head);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(sealedHead.length);
  const file = openSync(path, "wx", 0o600);
  try {
    writeAll(file, Buffer.concat([mark, salt, length, sealedHead]));
    const piece = Buffer.alloc(Math.min(pieceBytes, state.bytes));
    for (let part = 1, at = 0; at < state.bytes; part++) {
      signal?.throwIfAborted();
      const read = state.read(piece.subarray(0, Math.min(piece.length, state.bytes - at)), at);
      if (read === 0) throw new Error("the saved state is shorter than the engine said");
      writeAll(file, sealed(seal, part, piece.subarray(0, read)));
      at += read;
      // Answers go on meanwhile.
      await turn();
    }
    piece.fill(0);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
}

function readAt(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const read = readSync(file, bytes, done, length - done, position + done);
    if (read === 0) throw new SealedFileError("it is cut off");
    done += read;
  }
  return bytes;
}

interface OpenHead {
  readonly seal: Seal;
  readonly tokens: Uint32Array;
  readonly stateBytes: number;
  readonly stateAt: number;
}

function headOf(file: number, key: ParkingKey, binding: Buffer): OpenHead {
  const prefix = readAt(file, prefixBytes, 0);
  if (!prefix.subarray(0, mark.length).equals(mark)) throw new SealedFileError("it is no parked conversation");
  const seal = sealOf(key, prefix.subarray(mark.length, mark.length + saltBytes), binding);
  const length = prefix.readUInt32LE(prefixBytes - 4);
  if (length > mostTokens * 4) throw new SealedFileError("its head is too long");
  const head = opened(seal, 0, readAt(file, length, prefixBytes));
  if (head.length < 12) throw new SealedFileError("its head is too short");
  const tokens = new Uint32Array(head.readUInt32LE(8));
  if (head.length !== 12 + tokens.length * 4) throw new SealedFileError("its head does not fit");
  for (let index = 0; index < tokens.length; index++) tokens[index] = head.readUInt32LE(12 + index * 4);
  return { seal, tokens, stateBytes: Number(head.readBigUInt64LE(0)), stateAt: prefixBytes + length };
}

/** The tokens of a parked conversation, and the bytes of its state. @throws {SealedFileError} and what the file system throws. */
export function readHead(
  path: string,
  key: ParkingKey,
  binding: Buffer,
): Pick<OpenHead, "stateBytes"> & { readonly tokens: Uint32Array } {
  const file = openSync(path, "r");
  try {
    return headOf(file, key, binding);
  } finally {
    closeSync(file);
  }
}

/** Decrypts the state into `into`. @throws {SealedFileError} and what the file system throws; what is in `into` is then useless. */
export async function readState(path: string, key: ParkingKey, binding: Buffer, into: ScratchFile): Promise<void> {
  const file = openSync(path, "r");
  try {
    const { seal, stateBytes, stateAt } = headOf(file, key, binding);
    const pieces = Math.ceil(stateBytes / pieceBytes);
    if (fstatSync(file).size !== stateAt + stateBytes + pieces * tagBytes) throw new SealedFileError("it is cut off");
    for (let part = 1, at = 0; at < stateBytes; part++) {
      const length = Math.min(pieceBytes, stateBytes - at);
      const position = stateAt + (part - 1) * (pieceBytes + tagBytes);
      const plain = opened(seal, part, readAt(file, length + tagBytes, position));
      into.write(plain, at);
      plain.fill(0);
      at += length;
      await turn();
    }
  } finally {
    closeSync(file);
  }
}
