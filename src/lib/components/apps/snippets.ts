import { words } from "#lib/words/index.ts";

export const languages = ["curl", "python", "javascript"] as const;
export type Language = (typeof languages)[number];

export interface SnippetFacts {
  /** Base URL without `/v1`. */
  apiUrl: string;
  key: string;
  model: string;
}

const quoted = (text: string) => JSON.stringify(text);
/** Single quotes keep a shell from reading anything inside. */
const shellQuoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** A whole program that asks the household one question, ready to paste. */
export function snippet(language: Language, { apiUrl, key, model }: SnippetFacts): string {
  const question = words.apps.snippets.question;
  const base = `${apiUrl}/v1`;
  if (language === "curl") {
    const body = `{\n    "model": ${quoted(model)},\n    "messages": [{"role": "user", "content": ${quoted(question)}}]\n  }`;
    return [
      `curl ${base}/chat/completions \\`,
      `  -H ${shellQuoted(`Authorization: Bearer ${key}`)} \\`,
      `  -H 'Content-Type: application/json' \\`,
      `  -d ${shellQuoted(body)}`,
    ].join("\n");
  }
  if (language === "python")
    return [
      "from openai import OpenAI",
      "",
      `client = OpenAI(base_url=${quoted(base)}, api_key=${quoted(key)})`,
      "",
      "answer = client.chat.completions.create(",
      `    model=${quoted(model)},`,
      `    messages=[{"role": "user", "content": ${quoted(question)}}],`,
      ")",
      "print(answer.choices[0].message.content)",
    ].join("\n");
  return [
    `import OpenAI from "openai";`,
    "",
    `const client = new OpenAI({ baseURL: ${quoted(base)}, apiKey: ${quoted(key)} });`,
    "",
    "const answer = await client.chat.completions.create({",
    `  model: ${quoted(model)},`,
    `  messages: [{ role: "user", content: ${quoted(question)} }],`,
    "});",
    "console.log(answer.choices[0].message.content);",
  ].join("\n");
}
