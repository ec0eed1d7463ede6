import type { RbeeError } from "@rbee/contract";
import { errorTypeOf } from "#lib/server/inference/index.ts";

/**
 * An error's body as the API that lives at an address writes errors: Anthropic's under `/v1/messages`, Ollama's under
 * `/api`, OpenAI's everywhere else.
 */
export function errorText(error: RbeeError, pathname: string, requestId: string): string {
  const { error: told } = error.toBody();
  if (/^\/v1\/messages(?:\/|$)/u.test(pathname)) {
    const { code, message, details, suggestion } = told;
    const shaped = { type: errorTypeOf(code), message, code, details, suggestion };
    return JSON.stringify({ type: "error", error: shaped, request_id: requestId });
  }
  if (/^\/api(?:\/|$)/u.test(pathname)) {
    const { message, code, suggestion } = told;
    return JSON.stringify({ error: suggestion === undefined ? message : `${message} ${suggestion}`, code });
  }
  return JSON.stringify({ error: told });
}
