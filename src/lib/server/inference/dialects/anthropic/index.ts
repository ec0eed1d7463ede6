import type { Telling } from "../retell.ts";
import { messageOf } from "./answer.ts";
import { createMessageStream } from "./stream.ts";

export { chatOf, countedChat } from "./request.ts";
export { errorTypeOf } from "./errors.ts";

/** Tells chats as `POST /v1/messages` does. */
export const messageTelling: Telling = {
  contentType: "text/event-stream",
  whole: messageOf,
  stream: createMessageStream,
};
