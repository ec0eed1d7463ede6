import type { Job, NearbyMachine } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { addHref, addStepOf, neighboursOf, stageOf } from "./add-machine.ts";
import type { SshQuestion } from "./ssh-question.ts";

const job = (operation: Job["operation"], state: Job["state"], result: Job["result"] = null) =>
  ({ operation, state, result, error: null }) as Job;
const question: SshQuestion = { kind: "host_key", host: "pc", address: null, fingerprint: "SHA256:a", keyType: null };
const near = (name: string, over: Partial<NearbyMachine> = {}): NearbyMachine => ({
  name,
  target: name,
  address: null,
  hive_port: null,
  sources: ["ssh_config"],
  state: "no_hive",
  hive_id: null,
  version: null,
  checked_at: null,
  problem: null,
  ...over,
});

describe("adding a machine", () => {
  it("goes from choosing to a hive, one job after the other", () => {
    const machine = { machine: { name: "pc" } };
    expect(stageOf(null, null)).toBe("choose");
    expect(stageOf(job("hive_check", "running"), null)).toBe("looking");
    expect(stageOf(job("hive_check", "failed"), question)).toBe("question");
    expect(stageOf(job("hive_check", "succeeded", machine), null)).toBe("report");
    expect(stageOf(job("hive_install", "running"), null)).toBe("working");
    expect(stageOf(job("hive_install", "succeeded", { hive_id: "hive:1" }), null)).toBe("done");
  });

  it("ends where it went wrong, a cancelled installation included", () => {
    expect(stageOf(job("hive_install", "failed"), null)).toBe("failed");
    expect(stageOf(job("hive_install", "cancelled"), null)).toBe("failed");
    expect(addStepOf("failed", "hive_install")).toBe("install");
    expect(addStepOf("failed", "hive_check")).toBe("connect");
  });

  it("is not done without a hive, whatever the job says", () => {
    expect(stageOf(job("hive_install", "succeeded"), null)).toBe("failed");
  });
});

describe("machines nearby", () => {
  it("are those that are not in the household, the likely ones first", () => {
    const machines = [
      near("nas", { state: "unreachable" }),
      near("mine", { state: "enrolled" }),
      near("zoe"),
      near("attic", { state: "not_adopted" }),
      near("desk"),
    ];
    const { adoptable, installable } = neighboursOf(machines);
    expect(adoptable.map(({ name }) => name)).toEqual(["attic"]);
    expect(installable.map(({ name }) => name)).toEqual(["desk", "zoe", "nas"]);
  });

  it("lead to the flow with their address, and to adopting where a hive runs already", () => {
    expect(addHref(near("desk"))).toBe("/machines/add?target=desk");
    expect(addHref(near("a", { target: null, address: "10.0.0.2", hive_port: 7840, state: "not_adopted" }))).toBe(
      "/machines/add?target=10.0.0.2&port=7840&then=adopt",
    );
  });
});
