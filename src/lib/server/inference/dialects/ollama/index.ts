export { createOllama, type OllamaDialect, type OllamaOptions } from "./ollama.ts";
