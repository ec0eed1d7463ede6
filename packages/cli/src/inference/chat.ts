import { createInterface } from "node:readline";
import { RbeeError } from "@rbee/contract";
import type { Command } from "commander";
import { perform, verb, type Context } from "../command.ts";
import type { Connection } from "../connection/connect.ts";
import { showFailure } from "../failure.ts";
import { pickModel } from "./pick-model.ts";
import { ask, speedOf } from "./ask.ts";
import { chatCommands, Conversation, understand } from "./conversation.ts";
import { answerOptions, taskOptions, type AnswerOptions } from "./options.ts";
import { createPromptLines } from "./prompt-lines.ts";
import { withQueen } from "./with-queen.ts";

/** What a chat is until it ends: who answers, and what was said. */
interface Chat {
  readonly context: Context;
  readonly connection: Connection;
  readonly options: AnswerOptions;
  readonly conversation: Conversation;
  model: string;
}

/** Has one question answered. @throws {RbeeError} what it failed with; the signal's reason. */
async function say(chat: Chat, question: string, signal: AbortSignal): Promise<void> {
  const { context, connection, options, conversation, model } = chat;
  const { terminal, json } = context;
  let last = "\n";
  const answer = await ask(
    context,
    connection,
    { ...taskOptions(options), model, messages: conversation.messagesFor(question) },
    {
      signal,
      text(piece) {
        if (json) return;
        terminal.write(piece);
        last = piece.at(-1) ?? last;
      },
      reasoning(piece) {
        if (terminal.lively && !json) process.stderr.write(terminal.errorColours.dim(piece));
      },
    },
  ).finally(() => {
    if (last !== "\n") terminal.write("\n");
  });
  conversation.answered(question, answer.text);
  if (json) terminal.out(JSON.stringify(answer));
  else if (terminal.lively) terminal.error(terminal.errorColours.dim(speedOf(answer)));
}

/** Does what was typed. @returns whether the chat goes on. */
async function take(chat: Chat, typed: string, signal: AbortSignal): Promise<boolean> {
  const { context, conversation } = chat;
  const { terminal } = context;
  const note = (text: string) => {
    if (!context.json) terminal.error(terminal.errorColours.dim(text));
  };
  const what = understand(typed);
  switch (what.kind) {
    case "nothing":
      return true;
    case "exit":
      return false;
    case "help":
      for (const [command, meaning] of chatCommands) note(`${command.padEnd(15)} ${meaning}`);
      note('Several lines: paste them, or end each with "\\".');
      return true;
    case "new":
      conversation.forget();
      note("A new conversation begins.");
      return true;
    case "model":
      if (what.value !== undefined) chat.model = what.value;
      note(`The model is ${chat.model}.`);
      return true;
    case "system":
      if (what.value !== undefined) conversation.system = what.value === "-" ? undefined : what.value;
      note(conversation.system === undefined ? "There is no system message." : `System: ${conversation.system}`);
      return true;
    case "unknown":
      note(`There is no ${what.command}; /help shows what there is.`);
      return true;
    case "say":
      await say(chat, what.text, signal);
      return true;
  }
}

/** A person at a terminal: an error or Ctrl-C ends the answer, not the chat. */
async function atTerminal(chat: Chat): Promise<void> {
  const { terminal, signal } = chat.context;
  terminal.error(terminal.errorColours.dim(`You are talking to ${chat.model}; /help shows what you can do.`));
  const prompt = createPromptLines();
  signal.addEventListener("abort", prompt.close, { once: true });
  try {
    for (;;) {
      const typed = await prompt.next();
      signal.throwIfAborted();
      if (typed === null) return;
      const stopping = new AbortController();
      prompt.interrupt = () => {
        stopping.abort(new RbeeError("request_cancelled", "You stopped this answer."));
      };
      try {
        if (!(await take(chat, typed, AbortSignal.any([signal, stopping.signal])))) return;
      } catch (error) {
        signal.throwIfAborted();
        if (stopping.signal.aborted) terminal.error(terminal.errorColours.dim("stopped; it is not remembered"));
        else showFailure(error, terminal, chat.context.json);
      } finally {
        prompt.interrupt = undefined;
      }
    }
  } finally {
    signal.removeEventListener("abort", prompt.close);
    prompt.close();
  }
}

/** Lines from a file or another program: each is a question, and the first failure ends it. */
async function fromPipe(chat: Chat): Promise<void> {
  const { signal } = chat.context;
  for await (const line of createInterface({ input: process.stdin, signal })) {
    signal.throwIfAborted();
    if (!(await take(chat, line, signal))) return;
  }
  signal.throwIfAborted();
}

/** `rbee chat`: a conversation in the terminal. */
export function chat(parent: Command): void {
  const command = verb(parent, "chat [model]", {
    summary: "talk to a model in the terminal; from a pipe, one question a line",
    examples: [
      "rbee chat",
      "rbee chat bee-tiny --system 'Answer in one sentence.'",
      "printf 'hello\\nwho are you?\\n' | rbee chat bee-tiny",
    ],
  });
  answerOptions(command).action((wanted: string | undefined, options: AnswerOptions) =>
    perform(options, (context) =>
      withQueen(context, async (connection) => {
        const model = wanted ?? (await pickModel(context, connection));
        const conversation = new Conversation(options.system);
        const talk: Chat = { context, connection, options, conversation, model };
        await (context.terminal.interactive ? atTerminal(talk) : fromPipe(talk));
      }),
    ),
  );
}
