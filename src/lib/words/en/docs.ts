import type { Owner } from "@rbee/contract";

/** The API documentation page. */
export const docs = {
  title: "API docs",
  intro: "Every endpoint of this household. The same document for tools:",
  search: "Find an endpoint, a field or an error code",
  nothing: "Nothing matches.",
  owners: {
    public: "anybody",
    person: "a person or their API key",
    admin: "an administrator",
    hive: "an enrolled machine",
    join_token: "a join token",
    hive_process: "the machine's own agent",
  } satisfies Record<Owner, string>,
  callers: "Who may call",
  parameters: "Parameters",
  body: "Body",
  answers: "Answers",
  required: "required",
  nullable: "or null",
  items: "each",
  oneOf: "one of",
  defaultValue: (value: string) => `default ${value}`,
  limits: {
    min: (value: string) => `at least ${value}`,
    max: (value: string) => `at most ${value}`,
    minLength: (value: string) => `${value} characters or more`,
    maxLength: (value: string) => `${value} characters at most`,
  },
  stream: "a stream of server-sent events",
  text: "text",
  nothingBack: "nothing",
  fields: (count: number) => (count === 1 ? "1 field" : `${count} fields`),
  errors: {
    title: "Error codes",
    intro: "Every error has one shape: message, type, param, code, and often a suggestion.",
    columns: { code: "Code", status: "Status", meaning: "Meaning" },
  },
  tags: { service: "Service", inference: "Inference", hives: "Machines", household: "Household" } as Record<
    string,
    string
  >,
  copyLink: "Link to this endpoint",
  failed: "The API document could not be read.",
  try: "Use it from your apps",
};
