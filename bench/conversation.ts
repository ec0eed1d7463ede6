import { LoadClient, runLoad, type ChatBody } from "./load.ts";
import { promptMaker } from "./prompts.ts";
import { startLlamaServer, startWorker, type Server, type ServerOptions } from "./servers.ts";
import { median } from "./statistics.ts";

export interface ConversationOptions {
  readonly modelPath: string;
  readonly llamaServer?: string;
  readonly threads: number;
  readonly rounds: number;
}

/** What a server keeps of what it has read. */
export interface ConversationRow {
  readonly name: string;
  /** Time to first token of a first question of 500 tokens, and of a second one in the same conversation. */
  readonly firstTurnMs: number;
  readonly secondTurnMs: number;
  /** Tokens of one person's prompt, and those computed for eight people together, with the same 500 tokens before them. */
  readonly onePersonTokens: number;
  readonly eightPeopleTokens: number;
}

const people = 8;
const systemTokens = 500;

const body = (messages: readonly { role: string; content: string }[], tokens = 8): ChatBody => ({
  model: "bench",
  messages,
  temperature: 0,
  max_tokens: tokens,
});

/** The second turn of a conversation, and one system prompt for eight people who ask at the same moment. */
async function measure(server: Server, rounds: number, prompt: (tokens: number) => string): Promise<ConversationRow> {
  const client = new LoadClient(server.target, people, { keepAlive: false });
  const turns = { first: [] as number[], second: [] as number[] };
  const computed = { one: [] as number[], eight: [] as number[] };
  try {
    for (let round = 0; round < rounds; round += 1) {
      const asked = { role: "user", content: prompt(systemTokens) };
      const first = await client.chat(body([asked]));
      const more = [asked, { role: "assistant", content: "Yes." }, { role: "user", content: "Go on." }];
      const second = await client.chat(body(more));
      turns.first.push(first.ttftMs);
      turns.second.push(second.ttftMs);

      const person = (system: string) =>
        body([
          { role: "system", content: system },
          { role: "user", content: prompt(8) },
        ]);
      const shared = prompt(systemTokens);
      const bodies = Array.from({ length: people }, () => person(shared));
      const { samples } = await runLoad(client, bodies, people);
      computed.one.push(median(samples.map(({ promptTokens, cachedTokens }) => promptTokens + cachedTokens)));
      computed.eight.push(samples.reduce((sum, { promptTokens }) => sum + promptTokens, 0));
    }
  } finally {
    await client.close();
  }
  return {
    name: server.target.name,
    firstTurnMs: median(turns.first),
    secondTurnMs: median(turns.second),
    onePersonTokens: median(computed.one),
    eightPeopleTokens: median(computed.eight),
  };
}

export async function benchConversation(options: ConversationOptions): Promise<ConversationRow[]> {
  const { modelPath, threads, llamaServer, rounds } = options;
  const settings: ServerOptions = { modelPath, threads, slots: people, contextLength: 1024 };
  const worker = await startWorker(settings);
  const servers = [worker];
  try {
    if (llamaServer !== undefined) servers.push(await startLlamaServer(llamaServer, settings));
    const prompt = await promptMaker(worker.target);
    const rows: ConversationRow[] = [];
    for (const server of servers) rows.push(await measure(server, rounds, prompt));
    return rows;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
