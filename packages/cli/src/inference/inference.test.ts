import type { FleetModel } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { hasTerminals, placeWith, type Place } from "../../test/executable.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";
import { serveTasks } from "../../test/tasks.ts";
import { pickedModel } from "./pick-model.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
  haveModels("bee-tiny");
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const model = (id: string): FleetModel => ({
  ...{ id, name: id, state: "unloaded", load_progress: null, hives: [], size_bytes: 3_400_000, parameters: 3e6 },
  ...{ quantization: "Q8_0", context_length: 512, has_chat_template: true, aliases: [], pinned: false },
});
function haveModels(...ids: string[]) {
  queen.handlers.set(
    "GET /v1/fleet",
    json(200, {
      ...{ ts: 1, queen: { version: "9.9.9", started_at: 0, household: "Home" }, hives: [], models: ids.map(model) },
      totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
    }),
  );
}

describe("rbee infer", () => {
  it("writes tokens to stdout, and to stderr what had to be done before", async () => {
    const tasks = serveTasks(queen, (task) => {
      const step = { action: "spawn", level: "info", message: "Loading bee-tiny" };
      const data = { step: "spawn", step_path: ["spawn"] };
      task.event("narration", { ...step, data: { ...data, state: "started" } });
      task.event("narration", { ...step, data: { ...data, state: "finished", duration_ms: 900 } });
      task.say("Hello ", "there");
      task.finish();
    });
    const args = ["infer", "--temperature", "0", "--system", "Be kind.", "--node", "attic", "--backend", "cpu"];
    const { exitCode, out, error } = await place.rbee(args, { stdin: "hi\n" });
    expect([exitCode, out]).toEqual([0, "Hello there\n"]);
    expect(error).toContain("Loading bee-tiny");
    expect(tasks[0]?.request).toEqual({
      model: "bee-tiny",
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content: "hi" },
      ],
      temperature: 0,
      node: "attic",
      backend: "cpu",
    });
  });

  it("says nothing beside the answer when the model is ready", async () => {
    serveTasks(queen, (task) => {
      task.event("narration", { action: "ready", level: "debug", message: "bee-tiny is ready." });
      task.say("Hello\n");
      task.finish();
    });
    const { exitCode, out, error } = await place.rbee(["infer", "--model", "bee-tiny", "--prompt", "x"]);
    expect([exitCode, out, error]).toEqual([0, "Hello\n", ""]);
  });

  it("with --json answers in one object", async () => {
    serveTasks(queen, (task) => {
      task.say("Hello ", "there");
      task.finish({ finish_reason: "length" });
    });
    const { exitCode, out, error } = await place.rbee(["infer", "--model", "bee-tiny", "--prompt", "x", "--json"]);
    expect([exitCode, error]).toEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({ text: "Hello there", model: "bee-tiny", finish_reason: "length" });
  });

  it("fails with the task's own error and what to do, exit code 1, after what had come", async () => {
    serveTasks(queen, (task) => {
      task.say("half");
      task.fail("failed", { code: "worker_crashed", message: "The worker died.", suggestion: "Ask again." });
    });
    const { exitCode, out, error } = await place.rbee(["infer", "--model", "bee-tiny", "--prompt", "x"]);
    expect([exitCode, out]).toEqual([1, "half\n"]);
    expect(error).toBe("error    The worker died.\n         Ask again.\n");
  });

  it("that breaks off is a failure", async () => {
    serveTasks(queen, (task) => {
      task.say("half");
      task.cut();
    });
    const { exitCode, error } = await place.rbee(["infer", "--model", "bee-tiny", "--prompt", "x"]);
    expect(exitCode).toBe(1);
    expect(error).toContain("broke off");
  });

  it("is cancelled on the queen by Ctrl-C, exit code 130", async () => {
    const tasks = serveTasks(queen, (task) => {
      task.say("Once upon a time");
      void task.cancelled.then(() => {
        task.fail("cancelled", { code: "request_cancelled" });
      });
    });
    const run = place.start(["infer", "--model", "bee-tiny", "--prompt", "a story"]);
    await run.shows("Once upon a time");
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    const { exitCode, out, error } = await run.ended;
    expect([exitCode, out, error]).toEqual([130, "Once upon a time\n", ""]);
    await tasks[0]?.cancelled;
  });

  it("leaves a queen alone that does not answer when it is interrupted", async () => {
    const tasks = serveTasks(queen, (task) => {
      task.say("Once");
      queen.handlers.set(`DELETE /v1/inference/${task.id}`, () => {});
    });
    const run = place.start(["infer", "--model", "bee-tiny", "--prompt", "a story"]);
    await run.shows("Once");
    run.child.kill("SIGINT");
    expect((await run.ended).exitCode).toBe(130);
    await tasks[0]?.left;
  });

  it("asks which model is meant rather than guessing, exit code 2", async () => {
    haveModels("bee-tiny", "bee-large");
    const { exitCode, error } = await place.rbee(["infer", "--prompt", "x"]);
    haveModels("bee-tiny");
    expect(exitCode).toBe(2);
    expect(error).toContain("bee-tiny, bee-large");
    expect((await place.rbee(["infer", "--backend", "steam", "--prompt", "x"])).exitCode).toBe(2);
  });
});

describe("rbee chat", () => {
  const echo = () =>
    serveTasks(queen, (task) => {
      const messages = task.request["messages"] as { content: string }[];
      task.say(`[${messages.map(({ content }) => content).join("|")}]`);
      task.finish();
    });

  it("answers a question a line from a pipe, remembers them, and does what commands say", async () => {
    echo();
    const stdin = "one\n\ntwo\n/system Be brief.\n/new\nthree\n/exit\nfour\n";
    const { exitCode, out } = await place.rbee(["chat", "bee-tiny"], { stdin });
    expect([exitCode, out]).toEqual([0, "[one]\n[one|[one]|two]\n[Be brief.|three]\n"]);
  });

  it("from a pipe ends with the first question that fails, exit code 1", async () => {
    const tasks = serveTasks(queen, (task) => {
      task.fail("failed", { message: "It broke." });
    });
    const { exitCode, error } = await place.rbee(["chat", "bee-tiny"], { stdin: "one\ntwo\n" });
    expect([exitCode, tasks.length]).toEqual([1, 1]);
    expect(error).toContain("It broke.");
  });

  it("picks a model by its place in the list, its name, or how its name begins", () => {
    const models = ["bee-tiny", "bee-large", "wasp"].map(model);
    const picked = ["2", "wasp", "w", "bee", "0", "9", ""].map((typed) => pickedModel(models, typed));
    expect(picked).toEqual(["bee-large", "wasp", "wasp", undefined, undefined, undefined, undefined]);
  });
});

describe.skipIf(!hasTerminals)("rbee chat at a terminal", () => {
  const begin = async (...args: string[]) => {
    const run = place.start(["chat", ...args], { terminal: true });
    await run.shows(">>> ");
    return run;
  };

  it("takes what is pasted as one question, and remembers what was answered", async () => {
    const tasks = serveTasks(queen, (task) => {
      task.say("fine");
      task.finish();
    });
    const run = await begin("bee-tiny");
    run.child.stdin.write("line one\rline two\rline");
    await run.shows("line two");
    run.child.stdin.write(" three\r");
    await run.shows("fine");
    await run.shows(">>> ", 2);
    run.child.stdin.write("and\\\r");
    await run.shows("... ");
    run.child.stdin.write("then\r");
    await run.shows("fine", 2);
    await run.shows(">>> ", 3);
    run.child.stdin.write("/exit\r");
    expect((await run.ended).exitCode).toBe(0);
    expect(tasks.map(({ request }) => request["messages"])).toEqual([
      [{ role: "user", content: "line one\nline two\nline three" }],
      [
        { role: "user", content: "line one\nline two\nline three" },
        { role: "assistant", content: "fine" },
        { role: "user", content: "and\nthen" },
      ],
    ]);
  });

  it("Ctrl-C stops an answer, which is then not remembered; at the prompt it leaves", async () => {
    const tasks = serveTasks(queen, (task) => {
      task.say("Once upon");
      void task.cancelled.then(() => {
        task.fail("cancelled", { code: "request_cancelled" });
      });
    });
    const run = await begin("bee-tiny");
    run.child.stdin.write("a story\r");
    await run.shows("Once upon");
    run.child.stdin.write("\u0003");
    await run.shows("stopped");
    await tasks[0]?.cancelled;
    run.child.stdin.write("another\r");
    await run.shows("Once upon", 2);
    run.child.stdin.write("\u0003");
    await run.shows("stopped", 2);
    run.child.stdin.write("\u0003");
    expect((await run.ended).exitCode).toBe(0);
    expect(tasks[1]?.request["messages"]).toEqual([{ role: "user", content: "another" }]);
  });

  it("an error ends the answer and not the chat, and a model can be picked", async () => {
    haveModels("bee-tiny", "bee-large");
    const tasks = serveTasks(queen, (task) => {
      task.fail("failed", { message: "It broke." });
    });
    const run = place.start(["chat"], { terminal: true });
    await run.shows("Which one?");
    run.child.stdin.write("2\r");
    await run.shows(">>> ");
    run.child.stdin.write("hello\r");
    await run.shows("It broke.");
    await run.shows(">>> ", 2);
    run.child.stdin.write("\u0004");
    expect((await run.ended).exitCode).toBe(0);
    expect(tasks[0]?.request["model"]).toBe("bee-large");
    haveModels("bee-tiny");
  });
});
