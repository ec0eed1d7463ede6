import { error, redirect } from "@sveltejs/kit";
import { words } from "#lib/words/index.ts";
import { signInAddress } from "#lib/server/api/index.ts";
import type { Person } from "#lib/server/queen.ts";

interface Visit {
  locals: App.Locals;
  url: URL;
}

/**
 * Who visits. A stranger is sent to set-up or sign-in and comes back afterwards.
 * Layout guards do not run before form actions, so every load and every action asks for itself.
 */
export function personOf({ locals, url }: Visit): Person {
  if (locals.person !== null) return locals.person;
  if (!locals.queen.accounts.isSetUp()) redirect(303, "/setup");
  redirect(303, signInAddress(url));
}

/** The same for pages of administrators; a member gets 403. */
export function adminOf(visit: Visit): Person {
  const person = personOf(visit);
  if (person.user.role !== "admin")
    error(403, words.frame.error.forbidden, {
      code: "forbidden",
      suggestion: words.frame.error.forbiddenSuggestion,
    });
  return person;
}
