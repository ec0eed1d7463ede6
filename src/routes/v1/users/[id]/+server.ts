import { endpoint } from "#lib/server/api/index.ts";

export const PATCH = endpoint("updateUser", ({ queen, person, params, body }) =>
  queen.accounts.users.update(person, params.id, body),
);

export const DELETE = endpoint("removeUser", ({ queen, person, params }) => {
  queen.accounts.users.remove(person, params.id);
});
