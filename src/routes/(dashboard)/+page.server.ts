import { redirect } from "@sveltejs/kit";
import { personOf } from "../access.ts";
import { todayByPerson } from "#lib/format/usage.ts";
import type { Actions, PageServerLoad } from "./$types";

const hiddenCookie = "rbee_first_steps";
const usageLimit = 1000;

export const load: PageServerLoad = (event) => {
  const person = personOf(event);
  if (person.user.role !== "admin") redirect(303, "/chat");
  event.depends("rbee:usage");
  const { queen } = event.locals;
  const midnight = new Date().setHours(0, 0, 0, 0);
  const today = queen.usage.list(person, { limit: usageLimit, since: midnight });
  return {
    today: todayByPerson(today),
    todayIsPartial: today.length === usageLimit,
    steps: {
      hidden: event.cookies.get(hiddenCookie) === "hidden",
      chatted: today.length > 0 || queen.usage.list(person, { limit: 1 }).length > 0,
      connected: queen.accounts.keys.list(person).length > 0,
    },
  };
};

export const actions: Actions = {
  hideSteps: (event) => {
    personOf(event);
    event.cookies.set(hiddenCookie, "hidden", {
      path: "/",
      maxAge: 365 * 86_400,
      sameSite: "lax",
      secure: event.url.protocol === "https:",
    });
  },
};
