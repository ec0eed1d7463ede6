import { lastWordsMark, RbeeError } from "@rbee/contract";
import { expect, it } from "vitest";
import { person } from "#lib/server/testing/index.ts";
import { toldTo } from "./told-to.ts";

const error = new RbeeError("worker_spawn_failed", `It ended.${lastWordsMark}/home/ada/models is gone`, {
  details: { reason: "exit code 3", last_lines: ["/home/ada/models is gone"] },
});

it("what a process logged is for administrators", () => {
  expect(toldTo(person("admin", "ada"), error)).toBe(error);
  const told = toldTo(person("member", "ben"), error);
  expect(told).toMatchObject({ code: "worker_spawn_failed", message: "It ended.", details: { reason: "exit code 3" } });
  expect(JSON.stringify((told as RbeeError).toBody())).not.toContain("/home/ada");
});
