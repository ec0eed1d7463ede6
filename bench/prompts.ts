import { Client } from "undici";
import type { Target } from "./load.ts";

const words =
  "the river carries small warm stones past every quiet house while morning light moves over green hills and people walk home".split(
    " ",
  );

const text = (count: number, salt: number): string =>
  Array.from({ length: count }, (_, n) => words[(n * 7 + salt * (n + 3)) % words.length]).join(" ");

async function countTokens({ origin, socketPath }: Target, content: string): Promise<number> {
  const client = new Client(origin, socketPath === undefined ? {} : { socketPath });
  try {
    const { statusCode, body } = await client.request({
      method: "POST",
      path: "/v1/tokenize",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ content }),
    });
    if (statusCode !== 200) throw new Error(`the worker counts no tokens: ${await body.text()}`);
    return ((await body.json()) as { tokens: unknown[] }).tokens.length;
  } finally {
    await client.close();
  }
}

/**
 * Makes prompts of about so many tokens, as a worker counts them. No two share a beginning, so that no server can answer
 * from its cache: each begins with a number of its own.
 */
export async function promptMaker(worker: Target | undefined): Promise<(tokens: number) => string> {
  if (worker === undefined) throw new Error("no worker to count with");
  const sample = 400;
  const perWord = (await countTokens(worker, text(sample, 1))) / sample;
  let salt = 0;
  return (tokens) => {
    salt += 1;
    return `${salt * 7919} ${text(Math.max(1, Math.round(tokens / perWord)), salt)}`;
  };
}
