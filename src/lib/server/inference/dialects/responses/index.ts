import type { ChatMessage, ModelResponse, ResponsesRequest } from "@rbee/contract";
import type { Telling } from "../retell.ts";
import { answeredMessage, endedResponse, itemsOf, openResponse } from "./response.ts";
import { createResponseStream } from "./stream.ts";

export { ResponseMemory } from "./memory.ts";
export { chatOf, conversationOf } from "./request.ts";

/**
 * Tells a chat as `POST /v1/responses` does. `onEnd` gets the response when it is complete, and the whole conversation
 * with its answer.
 */
export function responseTelling(
  request: ResponsesRequest,
  options: {
    id: string;
    nowMs: number;
    conversation: readonly ChatMessage[];
    onEnd: (response: ModelResponse, conversation: readonly ChatMessage[]) => void;
  },
): Telling {
  const opened = openResponse(request, options.id, options.nowMs);
  const ended = (response: ModelResponse) => {
    const answer = answeredMessage(response.output);
    options.onEnd(response, answer === null ? options.conversation : [...options.conversation, answer]);
  };
  return {
    contentType: "text/event-stream",
    whole(completion) {
      const response = endedResponse(opened, {
        output: itemsOf(completion, opened.id),
        finish: completion.choices[0]?.finish_reason ?? null,
        usage: completion.usage,
        model: completion.model,
      });
      ended(response);
      return response;
    },
    stream: () => createResponseStream(opened, ended),
  };
}
