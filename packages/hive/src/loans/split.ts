import type { Backend, Helper, SpreadPart } from "@rbee/contract";
import { firstDevice } from "./device-names.ts";

export interface SplitQuestion {
  /** Layers of the model; null when its header does not say. */
  readonly layers: number | null;
  /** What computes the rest. */
  readonly backend: Backend;
  readonly helpers: readonly Pick<Helper, "share">[];
  /** Where each helper is reached, as `host:port`. */
  readonly addresses: readonly string[];
}

export interface Split {
  /** Layers that each helper computes, the output counted as one. */
  readonly layers: readonly number[];
  /** Share of all of them that is left to this machine. */
  readonly own: number;
  /** Arguments of llama-server that make it so. */
  readonly flags: readonly string[];
}

/** A model of which nothing is known is divided as if it had so many. */
const usualLayers = 32;

/** Whole layers nearest to the shares; everybody who is named gets one at least. */
function wholeLayers(total: number, shares: readonly number[]): number[] {
  const layers = shares.map((share) => Math.max(1, Math.round(share * total)));
  while (layers.reduce((sum, count) => sum + count, 0) > total) {
    const most = layers.indexOf(Math.max(...layers));
    layers[most] = Math.max(0, (layers[most] ?? 0) - 1);
  }
  return layers;
}

/**
 * How a model is divided between this machine and its helpers. What llama.cpp puts on devices are the last layers;
 * where this machine computes on its processor, its own are the first. A card of its own comes last instead, since the
 * layer that makes the many numbers of the vocabulary is the last one, and these then need not travel.
 */
export function splitModel({ layers, backend, helpers, addresses }: SplitQuestion): Split {
  const total = (layers ?? usualLayers) + 1;
  const onGpu = backend !== "cpu";
  const theirs = wholeLayers(
    onGpu ? total - 1 : total,
    helpers.map(({ share }) => share),
  );
  const helped = theirs.reduce((sum, count) => sum + count, 0);
  const devices = [...theirs.map((_, index) => `RPC${index}`), ...(onGpu ? [firstDevice[backend]] : [])];
  const parts = [...theirs, ...(onGpu ? [total - helped] : [])];
  return {
    layers: theirs,
    own: (total - helped) / total,
    flags: [
      ...["--rpc", addresses.join(",")],
      ...["--device", devices.join(",")],
      ...["--split-mode", "layer", "--tensor-split", parts.join(",")],
      ...["--n-gpu-layers", String(onGpu ? total : helped)],
    ],
  };
}

/** Who computes how much of it, this machine first. */
export function spreadOf(
  { layers, own }: Pick<Split, "layers" | "own">,
  self: Omit<SpreadPart, "share">,
  helpers: readonly Pick<Helper, "hive_id" | "name" | "device">[],
): SpreadPart[] {
  const helped = layers.reduce((sum, count) => sum + count, 0);
  const share = (count: number) => (helped === 0 ? 0 : (count / helped) * (1 - own));
  return [
    { ...self, share: own },
    ...helpers.map(({ hive_id, name, device }, index) => ({ hive_id, name, device, share: share(layers[index] ?? 0) })),
  ];
}
