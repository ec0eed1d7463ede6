export { chatShape, createTelling, generateShape } from "./answer.ts";
export { chunkAsChat, completionOf, wholeAsChat } from "./completion.ts";
export { embedAnswer, embeddingsOf } from "./embed.ts";
export { runningOf, shownModel, tagsOf } from "./models.ts";
export { chatOf, modelIdOf, promptedChatOf } from "./request.ts";
