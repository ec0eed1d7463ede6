import * as z from "zod";
import { bundlePlatformSchema } from "./platform.ts";

/** The file at the top of every tree that says what it is. */
export const manifestFile = "bundle.json";

export const bundleManifestSchema = z.object({
  /** rbee's own version. */
  version: z.string(),
  /** A fingerprint of everything in the tree, 12 hexadecimal digits. */
  build: z.string().regex(/^[0-9a-f]{8,12}$/u),
  platform: bundlePlatformSchema,
  /** When its programs were built, in milliseconds; not when it was packed, so that packing again gives the same bytes. */
  made_at: z.number(),
  /** The version of the Node inside. */
  node: z.string(),
});
export type BundleManifest = z.infer<typeof bundleManifestSchema>;
