import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Refusal, run } from "../prepare/command.js";

/** @typedef {"cpu" | "cuda" | "metal" | "vulkan"} Backend */

const cudaFolder = "/usr/local/cuda/bin";
const known = /** @type {readonly Backend[]} */ (["cpu", "cuda", "metal", "vulkan"]);

/** @param {string} name */
export const onPath = (name) =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, process.platform === "win32" ? `${name}.exe` : name))
    .find((path) => existsSync(path));

/** NVIDIA's compiler; undefined where it is not installed. */
export const cudaCompiler = () => onPath("nvcc") ?? [join(cudaFolder, "nvcc")].find((path) => existsSync(path));

/** Vulkan's compiler and headers, which come in a package for developers. */
function canBuildVulkan() {
  const headers = [process.env["VULKAN_SDK"], "/usr"].flatMap((place) =>
    place === undefined ? [] : [join(place, "include", "vulkan", "vulkan.h")],
  );
  return onPath("glslc") !== undefined && headers.some((path) => existsSync(path));
}

/** Whether there is a card that the compiler's work would be of use for. */
async function hasNvidiaCard() {
  const { code, output } = await run("nvidia-smi", ["--query-gpu=name", "--format=csv,noheader"]);
  return code === 0 && output.trim() !== "";
}

/**
 * What to build for: as it was asked for, else what this machine has both the hardware and the compilers for.
 * @param {readonly string[] | undefined} asked
 * @returns {Promise<Backend[]>}
 * @throws {Refusal} on an unknown name, or when a compiler that was asked for is missing.
 */
export async function chooseBackends(asked) {
  if (asked !== undefined) {
    for (const name of asked) refuseUnusable(name);
    return [...new Set(["cpu", ...asked])].filter((name) => isBackend(name));
  }
  if (process.platform === "darwin") return process.arch === "arm64" ? ["cpu", "metal"] : ["cpu"];
  if (await hasNvidiaCard()) {
    if (cudaCompiler() !== undefined) return ["cpu", "cuda"];
    process.stderr.write(
      "There is an NVIDIA card, but no nvcc: this build will not use it. CUDA's toolkit brings it.\n",
    );
  }
  return canBuildVulkan() ? ["cpu", "vulkan"] : ["cpu"];
}

/** @param {string} name @returns {name is Backend} */
const isBackend = (name) => known.some((one) => one === name);

/** @param {string} name */
function refuseUnusable(name) {
  if (!isBackend(name)) throw new Refusal(`There is no backend ${name}; there are ${known.join(", ")}.`);
  if (name === "cuda" && cudaCompiler() === undefined)
    throw new Refusal("CUDA needs nvcc, which comes with NVIDIA's CUDA toolkit (Debian: nvidia-cuda-toolkit).");
  if (name === "vulkan" && !canBuildVulkan())
    throw new Refusal(
      "Vulkan needs glslc and Vulkan's headers (Debian: apt-get install glslc libvulkan-dev spirv-headers).",
    );
  if (name === "metal" && process.platform !== "darwin") throw new Refusal("Metal is Apple's: only a Mac builds it.");
}

/**
 * Cmake's settings for these backends; each is said outright, so that nothing depends on what it finds by itself.
 * @param {readonly Backend[]} backends
 * @returns {string[]}
 */
export function backendSettings(backends) {
  const on = (/** @type {Backend} */ name) => (backends.includes(name) ? "ON" : "OFF");
  const compiler = backends.includes("cuda") && onPath("nvcc") === undefined ? cudaCompiler() : undefined;
  return [
    `-DGGML_CUDA=${on("cuda")}`,
    `-DGGML_VULKAN=${on("vulkan")}`,
    ...(process.platform === "darwin" ? [`-DGGML_METAL=${on("metal")}`] : []),
    ...(compiler === undefined ? [] : [`-DCMAKE_CUDA_COMPILER=${compiler}`]),
  ];
}
