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

/** What to look at, each address once; a name that somebody gave counts. */
export function targetsOf(setting: string): Target[] {
  const { usual, named } = externalServersOf(setting) ?? { usual: false, named: [] };
  const targets = new Map<string, Target>();
  if (usual)
    for (const port of usualPorts)
      targets.set(`http://127.0.0.1:${port}`, { url: `http://127.0.0.1:${port}`, name: null });
  for (const { url, name } of named) targets.set(url, { url, name });
  return [...targets.values()];
}
