/** Set-up, sign-in and invitations. */
export const entry = {
  tagline: "One private AI service out of the computers of your household",
  name: "Name",
  password: "Password",
  showPassword: "Show the password",
  hidePassword: "Hide the password",
  strength: {
    tooShort: (missing: number) => (missing === 1 ? "1 more character" : `${missing} more characters`),
    weak: "Easy to guess. A few unrelated words are better.",
    fair: "Good. A word more would make it strong.",
    strong: "Strong.",
    rule: "At least 8 characters. A few unrelated words work well.",
  },
  nameRule: "You sign in with it.",

  setup: {
    pageTitle: "Set up",
    title: "Set up your household",
    intro: "You become the administrator: you add machines and invite the others.",
    code: "Setup code",
    codeHint: "It stands in the terminal where rbee was started.",
    submit: "Create the administrator",
    busy: "Creating…",
    already: "This household is already set up.",
  },
  login: {
    pageTitle: "Sign in",
    title: (household: string) => `Sign in to ${household}`,
    submit: "Sign in",
    busy: "Signing in…",
    forgotten: "Forgot your password? An administrator can remove your account and invite you again.",
    signedOut: "You are signed out.",
    expired: "Your session has ended. Sign in to go on.",
    wait: (seconds: number) =>
      seconds > 120
        ? `Too many attempts. You can try again in ${Math.ceil(seconds / 60)} minutes.`
        : `Too many attempts. You can try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`,
    waitOver: "You can try again now.",
  },
  invite: {
    pageTitle: "Invitation",
    title: (household: string) => `Join ${household}`,
    intro: (inviter: string, role: string) => `${inviter} invites you to this household as ${role}.`,
    roles: { admin: "an administrator", member: "a member" },
    can: {
      admin: "You can chat, connect apps, add machines and invite people.",
      member: "You can chat with the household's models and connect your apps.",
    },
    expires: (when: string) => `The invitation ends ${when}.`,
    submit: "Join",
    busy: "Joining…",
    goneTitle: "This invitation no longer works",
    gone: "It was used already, has expired, or was withdrawn. Ask whoever invited you for a new link.",
    toLogin: "I have an account: sign in",
    signedIn: (name: string) => `You are signed in as ${name}. Joining here makes a second account.`,
  },
};
