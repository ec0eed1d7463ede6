export { appCalls, contextOf } from "./app-calls.ts";
export { clientInfo } from "./client-info.ts";
export { endpoint, errorResponse } from "./endpoint.ts";
export { appFront } from "./front.ts";
export { identify } from "./identify.ts";
export { requestIdOf } from "./request-id.ts";
export { nothingHere, wrongMethod } from "./not-found.ts";
export { guardPage, isApiPath, signInAddress } from "./page-guard.ts";
