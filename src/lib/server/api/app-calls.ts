import type { Person } from "#lib/server/accounts/index.ts";
import type { RequestContext } from "#lib/server/inference/index.ts";
import { laneOf } from "./lane.ts";
import type { DirectAnswering, EndpointName } from "./endpoint.ts";

/** What inference needs to know of a call beside what it asks. */
export const contextOf = (call: {
  person: Person;
  header: (name: string) => string | null;
  requestId: string;
  signal: AbortSignal;
}): RequestContext => ({
  requestId: call.requestId,
  lane: laneOf(call.header("x-rbee-lane"), call.person),
  signal: call.signal,
});

/**
 * The endpoints that apps call all the time. Their routes answer with these, and so does the listener in front of
 * SvelteKit: an endpoint without path parameters that is added here is served by both.
 */
export const appCalls = {
  chat: (call) => call.queen.inference.chat(call.person, call.body, contextOf(call)),
  complete: (call) => call.queen.inference.complete(call.person, call.body, contextOf(call)),
  embed: (call) => call.queen.inference.embed(call.person, call.body, contextOf(call)),
  respond: (call) => call.queen.dialects.respond(call.person, call.body, contextOf(call)),
  tokenize: (call) => call.queen.dialects.tokenize(call.person, call.body, contextOf(call)),
  detokenize: (call) => call.queen.dialects.detokenize(call.person, call.body, contextOf(call)),
  messages: (call) => call.queen.dialects.messages(call.person, call.body, contextOf(call)),
  countMessageTokens: (call) => call.queen.dialects.countMessageTokens(call.person, call.body, contextOf(call)),
  ollamaChat: (call) => call.queen.dialects.ollamaChat(call.person, call.body, contextOf(call)),
  ollamaGenerate: (call) => call.queen.dialects.ollamaGenerate(call.person, call.body, contextOf(call)),
  ollamaEmbed: (call) => call.queen.dialects.ollamaEmbed(call.person, call.body, contextOf(call)),
  task: async (call) => call.queen.tasks.start(call.person, call.body, contextOf(call)),
} satisfies { [N in EndpointName]?: DirectAnswering<N> };
