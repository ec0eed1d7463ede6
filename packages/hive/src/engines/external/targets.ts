import { externalServersOf } from "@rbee/settings";

/** An address at which a server may answer. */
export interface Target {
  /** The server's base address, to which `/v1/models` is appended. */
  readonly url: string;
  /** What its owner calls it; null when nobody gave it a name. */
  readonly name: string | null;
}

/** Ollama, vLLM, LM Studio and llama-server, when nobody moved them. */
const usualPorts = [11434, 8000, 1234, 8080];

/** The same for every name that this machine has for itself. */
function placeOf(url: string): string {
  const place = new URL(url);
  if (place.hostname === "localhost" || place.hostname === "[::1]") place.hostname = "127.0.0.1";
  return place.href;
}

/** What to look at, each address once; a name that somebody gave counts. */
export function targetsOf(setting: string): Target[] {
  const { usual, named } = externalServersOf(setting) ?? { usual: false, named: [] };
  const usually = usual ? usualPorts.map((port) => ({ url: `http://127.0.0.1:${port}`, name: null })) : [];
  return [...new Map([...usually, ...named].map((target) => [placeOf(target.url), target])).values()];
}
