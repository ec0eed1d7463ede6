import type { SamplingSettings } from "./engine.ts";
import type { NativeSamplerConfig } from "./native.ts";

/** How far back `repeat_penalty` looks, prompt included; llama.cpp's default. */
const repeatWindow = 64;
/** llama.cpp takes this seed as "choose one yourself", which would make the answer unrepeatable. */
const randomSeed = 0xffff_ffff;

/**
 * The native sampler's settings. A filter that changes nothing is left out, because the library would still sort the
 * whole vocabulary for it. `repeat_penalty` looks back 64 tokens into the prompt as llama.cpp does;
 * `presence_penalty` and `frequency_penalty` count the whole answer as OpenAI does.
 */
export function samplerConfig(
  settings: SamplingSettings,
  prompt: readonly number[],
  contextLength: number,
): NativeSamplerConfig {
  const config: NativeSamplerConfig = {
    temperature: settings.temperature,
    seed: settings.seed === randomSeed ? 0 : settings.seed,
  };
  if (settings.topK !== null && settings.topK > 0) config.topK = settings.topK;
  if (settings.topP !== null && settings.topP < 1) config.topP = settings.topP;
  if (settings.minP !== null && settings.minP > 0) config.minP = settings.minP;
  const repeats = settings.repeatPenalty !== 1;
  const counts = settings.presencePenalty !== 0 || settings.frequencyPenalty !== 0;
  if (repeats || counts) {
    config.repeatPenalty = settings.repeatPenalty;
    config.repeatPenaltyPresencePenalty = settings.presencePenalty;
    config.repeatPenaltyFrequencyPenalty = settings.frequencyPenalty;
    config.repeatPenaltyMaxTokens = counts ? contextLength : repeatWindow;
    config.repeatPenaltyTokens = Uint32Array.from(repeats ? prompt.slice(-repeatWindow) : []);
  }
  if (settings.logitBias.size > 0) {
    config.tokenBiasKeys = Uint32Array.from(settings.logitBias.keys());
    config.tokenBiasValues = Float32Array.from(settings.logitBias.values());
  }
  return config;
}
