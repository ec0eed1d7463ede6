import { errorCatalogue, isErrorCode } from "@rbee/contract";

const types: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  408: "timeout_error",
  409: "invalid_request_error",
  413: "request_too_large",
  429: "rate_limit_error",
  499: "invalid_request_error",
  503: "overloaded_error",
};

/** Anthropic's type for an error of the catalogue. */
export function errorTypeOf(code: string): string {
  const status = isErrorCode(code) ? errorCatalogue[code].status : 500;
  return types[status] ?? "api_error";
}
