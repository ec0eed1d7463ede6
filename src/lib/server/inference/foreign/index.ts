export { foreignAsk } from "./request.ts";
export { foreignRefusal, foreignUnstreamed, noAnswerOf, noEndOf, stalledOf } from "./refusal.ts";
export { foreignServer, type ForeignServer } from "./server.ts";
export { foreignStream, type ForeignStream } from "./stream.ts";
export { foreignWhole } from "./whole.ts";
