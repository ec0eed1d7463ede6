export { clientInfo } from "./client-info.ts";
export { endpoint, errorResponse } from "./endpoint.ts";
export { nothingHere, wrongMethod } from "./not-found.ts";
export { refuseCrossSite } from "./origin.ts";
export { guardPage, isApiPath, signInAddress } from "./page-guard.ts";
