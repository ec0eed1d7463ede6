import type { IncomingMessage } from "node:http";
import type { ErrorCode, RbeeError } from "@rbee/contract";
import type { ClientInfo, Person, Queen } from "#lib/server/queen.ts";

declare global {
  namespace App {
    interface Locals {
      queen: Queen;
      /** Who is signed in; pages behind a guard never see null. */
      person: Person | null;
      /** Why the credentials that came do not count; null when they do, or when none came. */
      refusal: RbeeError | null;
      client: ClientInfo;
      /** Also sent as the `x-request-id` header. */
      requestId: string;
    }
    interface Error {
      status: number;
      message: string;
      /** Code of the catalogue. */
      code?: ErrorCode;
      suggestion?: string;
      /** Finds the cause in the queen's log. */
      requestId?: string;
    }
    interface Platform {
      req: IncomingMessage;
    }
  }
}

export {};
