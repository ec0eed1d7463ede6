export type {
  Constraint,
  Embedder,
  Engine,
  Grammar,
  ModelFacts,
  Observation,
  Observer,
  Piece,
  Sampler,
  SamplingSettings,
  StepWork,
  TokenizeOptions,
  Vocabulary,
} from "./engine.ts";
export { loadEngine, type LoadHooks } from "./load.ts";
