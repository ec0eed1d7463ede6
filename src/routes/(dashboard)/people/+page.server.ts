import { invitationRequestSchema, parseInput, userUpdateSchema } from "@rbee/contract";
import QRCode from "qrcode";
import { adminOf } from "../../access.ts";
import { attempt, textOf } from "../../action-errors.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = (event) => {
  adminOf(event);
  const { accounts } = event.locals.queen;
  return { people: accounts.users.list(), invitations: accounts.invitations.list() };
};

export const actions: Actions = {
  changeRole: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      const { role } = parseInput(userUpdateSchema, { role: textOf(form, "role") });
      event.locals.queen.accounts.users.update(admin, textOf(form, "id"), { role });
      return { changed: true };
    });
  },
  remove: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.accounts.users.remove(admin, textOf(form, "id"));
      return { removed: true };
    });
  },
  invite: async (event) => {
    const admin = adminOf(event);
    const form = await event.request.formData();
    const { queen } = event.locals;
    return attempt(async () => {
      const input = parseInput(invitationRequestSchema, {
        role: textOf(form, "role"),
        expires_in_s: Number(textOf(form, "expires_in_s")),
      });
      const invitation = queen.accounts.invitations.create(admin, input);
      const link = `${queen.household.apiUrl(event.url.origin)}${invitation.path}`;
      // Dark on light in both themes: not every camera reads an inverted code.
      const qr = await QRCode.toString(link, { type: "svg", margin: 2, color: { dark: "#1c1a17", light: "#ffffff" } });
      return { invited: { link, qr: `data:image/svg+xml;utf8,${encodeURIComponent(qr)}`, role: invitation.role } };
    });
  },
  revokeInvitation: async (event) => {
    adminOf(event);
    const form = await event.request.formData();
    return attempt(() => {
      event.locals.queen.accounts.invitations.revoke(textOf(form, "id"));
      return { revoked: true };
    });
  },
};
