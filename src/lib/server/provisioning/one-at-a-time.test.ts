import { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { createOneAtATime } from "./one-at-a-time.ts";
import type { SshTarget } from "./ssh/index.ts";

const target = (destination: string): SshTarget => {
  const [user = "", host = ""] = destination.includes("@") ? destination.split("@") : ["vince", "10.0.0.2"];
  return {
    name: destination,
    host,
    port: 22,
    user,
    identityFiles: [],
    identitiesOnly: false,
    agentSocket: null,
    hostKeyAlias: null,
    knownHostsFiles: [],
    jumps: [],
  };
};
const machines = () => createOneAtATime((destination) => Promise.resolve(target(destination)));
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error instanceof RbeeError ? error.code : error),
  );
const forEver = () => new Promise<never>(() => {});

describe("one operation per machine", () => {
  it("refuses a second one at once, and says what is going on", () => {
    const one = machines();
    void one.run("attic", "an installation", forEver);
    expect(() => {
      one.refuseIfBusy("attic");
    }).toThrow("an installation");
    expect(() => {
      one.refuseIfBusy("cellar");
    }).not.toThrow();
  });

  it("knows a machine by its address, whatever name and account it is called by", async () => {
    const one = machines();
    void one.run("attic", "an installation", forEver);
    expect(await refusal(one.run("root@10.0.0.2", "a stop", () => Promise.resolve()))).toBe("already_exists");
    expect(await refusal(one.run("root@10.0.0.3", "a stop", () => Promise.resolve()))).toBe("done");
  });

  it("frees the machine however the first one ends", async () => {
    const one = machines();
    const failing = () => Promise.reject(new RbeeError("ssh_timeout", "slow"));
    expect(await refusal(one.run("attic", "an installation", failing))).toBe("ssh_timeout");
    expect(await refusal(one.run("attic", "an installation", () => Promise.resolve()))).toBe("done");
  });

  it("leaves the first one its machine when a second is refused", async () => {
    const one = machines();
    void one.run("attic", "an installation", forEver);
    expect(await refusal(one.run("vince@10.0.0.2", "a stop", () => Promise.resolve()))).toBe("already_exists");
    expect(await refusal(one.run("attic", "a stop", () => Promise.resolve()))).toBe("already_exists");
  });
});
