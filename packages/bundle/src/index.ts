/** Makes self-contained trees of the hive and its workers for a machine of any supported platform. */
export { makeBundle, makeTree, type Bundle, type BundleProgress } from "./bundle.ts";
export { frugalEnvironment, frugalFlags } from "./frugal.ts";
export { bundleManifestSchema, manifestFile, type BundleManifest } from "./manifest.ts";
export { readBundle } from "./read-bundle.ts";
export { buildId } from "./plan.ts";
export { bundlePlatformSchema, hostPlatform, platformName, type BundlePlatform } from "./platform.ts";
