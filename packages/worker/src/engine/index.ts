export type {
  Engine,
  ModelFacts,
  Piece,
  Sampler,
  SamplingSettings,
  StepWork,
  TokenizeOptions,
  Vocabulary,
} from "./engine.ts";
export { loadEngine, type LoadHooks } from "./load.ts";
