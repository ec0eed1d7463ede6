import { isErrorCode, RbeeError, toRbeeError } from "@rbee/contract";
import type { Handle, HandleServerError, ServerInit } from "@sveltejs/kit/hooks";
import { building } from "$app/env";
import { sessionCookieName, type Authentication } from "#lib/server/accounts/index.ts";
import {
  appFront,
  clientInfo,
  errorResponse,
  guardPage,
  identify,
  isApiPath,
  requestIdOf,
  wrongMethod,
} from "#lib/server/api/index.ts";
import { currentQueen, startQueen } from "#lib/server/queen.ts";

export const init: ServerInit = async () => {
  if (!building) await startQueen(appFront);
};

export const handle: Handle = async ({ event, resolve }) => {
  const { cookies, locals, request, route, url } = event;
  const { queen } = currentQueen();
  const api = isApiPath(url.pathname);
  const session = cookies.get(sessionCookieName);
  Object.assign(locals, {
    queen,
    requestId: requestIdOf(request.headers.get("x-request-id")),
    client: clientInfo(event),
  });
  let known: Authentication;
  try {
    const header = (name: string) => request.headers.get(name);
    known = await identify({ method: request.method, host: url.host, header, session }, locals.client);
  } catch (thrown) {
    return errorResponse(thrown, locals.requestId, url.pathname);
  }
  const { person, refusal, renewed } = known;
  Object.assign(locals, { person, refusal });
  if (renewed !== null)
    cookies.set(renewed.name, renewed.value, { ...renewed.attributes, secure: url.protocol === "https:" });
  guardPage({ routeId: route.id, url, signedIn: person !== null, setUp: queen.accounts.isSetUp() });

  const response = await resolve(event);
  if (!api) return response;
  if (response.status === 405) {
    const refused = { method: request.method, pathname: url.pathname, allow: response.headers.get("allow") };
    return wrongMethod(refused, locals.requestId);
  }
  if (!response.headers.has("x-request-id")) response.headers.set("x-request-id", locals.requestId);
  return response;
};

export const handleError: HandleServerError = ({ error, kind, event }) => {
  const { requestId } = event.locals;
  if (kind === "app") {
    const { code, suggestion } = error;
    return { ...(code === undefined ? {} : { code }), ...(suggestion === undefined ? {} : { suggestion }), requestId };
  }
  if (kind !== "unknown") return { requestId };
  const known = toRbeeError(error);
  if (!(error instanceof RbeeError))
    currentQueen().log.error({ err: error, requestId, path: event.url.pathname }, "page failed");
  const { code, message, status, suggestion } = known;
  return {
    status,
    message,
    code: isErrorCode(code) ? code : "internal_error",
    suggestion,
    requestId,
  };
};
