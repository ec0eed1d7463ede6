import type { TaskInput } from "./ask.ts";

type Message = NonNullable<TaskInput["messages"]>[number];

/** What a person typed: a command, or something to say to the model. */
export type Typed =
  | { readonly kind: "help" | "new" | "exit" | "nothing" }
  /** Without a value they show what is in force. */
  | { readonly kind: "model" | "system"; readonly value: string | undefined }
  | { readonly kind: "unknown"; readonly command: string }
  | { readonly kind: "say"; readonly text: string };

/** The commands of a chat, for its `/help`. */
export const chatCommands: readonly (readonly [string, string])[] = [
  ["/help", "show this"],
  ["/model [NAME]", "show or change the model; what was said stays"],
  ["/system [TEXT]", "show or change the system message; `/system -` removes it"],
  ["/new", "begin again; the system message stays"],
  ["/exit", "leave; so do Ctrl-D, and Ctrl-C at the prompt"],
];

/** Understands what was typed. Only a first line that begins with a slash and a word is a command. */
export function understand(typed: string): Typed {
  const text = typed.trim();
  if (text === "") return { kind: "nothing" };
  const command = /^\/([a-z]+)(?:[ \t]+([\s\S]*))?$/u.exec(text);
  if (command === null) return { kind: "say", text };
  const [, name = "", value] = command;
  switch (name) {
    case "help":
    case "new":
    case "exit":
      return { kind: name };
    case "quit":
    case "bye":
      return { kind: "exit" };
    case "model":
    case "system":
      return { kind: name, value: value?.trim() || undefined };
    default:
      return { kind: "unknown", command: `/${name}` };
  }
}

/** What has been said in a chat. A question that was not answered is not part of it. */
export class Conversation {
  system: string | undefined;
  #said: Message[] = [];

  constructor(system: string | undefined) {
    this.system = system;
  }

  /** How many questions were answered. */
  get length(): number {
    return this.#said.length / 2;
  }

  /** What the model gets for a new question. */
  messagesFor(question: string): Message[] {
    return [
      ...(this.system === undefined ? [] : [{ role: "system" as const, content: this.system }]),
      ...this.#said,
      { role: "user", content: question },
    ];
  }

  answered(question: string, answer: string): void {
    this.#said.push({ role: "user", content: question }, { role: "assistant", content: answer });
  }

  forget(): void {
    this.#said = [];
  }
}
