import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareVersions, planSync, type Found, type Observation, type Wanted } from "./plan.ts";

const offered = { version: "1.4.0", builds: ["b2", "b2-gpu"] };
const machine: Wanted = { alias: "pc", target: "vince@pc", autoStart: true };
const running: Found = {
  kind: "found",
  installed: { version: "1.4.0", build: "b2" },
  offered,
  running: true,
  enrolled: true,
  reporting: true,
};

const planFor = (seen: Observation | undefined, wanted = machine) =>
  planSync([wanted], new Map(seen === undefined ? [] : [[wanted.alias, seen]]))[0];

describe("planning a sync", () => {
  it.each<[string, Partial<Found>, string]>([
    ["a bare machine", { installed: null, running: false, enrolled: false, reporting: false }, "install"],
    ["a hive of nobody's", { enrolled: false, reporting: false }, "install"],
    ["an older version", { installed: { version: "1.3.9", build: "b1" } }, "upgrade"],
    ["an older version that is stopped", { installed: { version: "1.3.9", build: "b1" }, running: false }, "upgrade"],
    ["another build of the same version", { installed: { version: "1.4.0", build: "b1" } }, "upgrade"],
    ["a version that cannot be told", { installed: { version: null, build: null } }, "upgrade"],
    ["the build for its GPU", { installed: { version: "1.4.0", build: "b2-gpu" } }, "none"],
    ["a newer version", { installed: { version: "1.10.0", build: "b9" } }, "none"],
    ["a build of which it is not known what would replace it", { offered: { version: "1.4.0", builds: [] } }, "none"],
    ["a hive that does not run", { running: false, reporting: false }, "start"],
    ["a hive that runs and does not report", { reporting: false }, "start"],
    ["a hive as it should be", {}, "none"],
  ])("%s", (_, seen, action) => {
    expect(planFor({ ...running, ...seen })).toMatchObject({ alias: "pc", target: "vince@pc", action });
  });

  it("leaves a stopped hive alone when it is not to be started", () => {
    const stopped = { ...running, running: false, reporting: false };
    expect(planFor(stopped, { ...machine, autoStart: false })).toMatchObject({
      action: "none",
      reason: "It does not run, and auto_start is false.",
    });
  });

  it("does nothing where it saw nothing", () => {
    expect(planFor({ kind: "unreachable", reason: "pc did not answer." })).toMatchObject({
      action: "unreachable",
      reason: "pc did not answer.",
    });
    expect(planFor(undefined)?.action).toBe("unreachable");
  });
});

describe("whatever the household is like", () => {
  const version = fc.constantFrom("1.3.0", "1.4.0-rc.1", "1.4.0", "1.10.2", null);
  const build = fc.constantFrom("b1", "b2", null);
  const installed: fc.Arbitrary<Found["installed"]> = fc.option(fc.record({ version, build }));
  const found: fc.Arbitrary<Observation> = fc.record({
    kind: fc.constant("found" as const),
    installed,
    offered: fc.record({ version: fc.constant("1.4.0"), builds: fc.constantFrom(["b2"], ["b2", "b1"], []) }),
    running: fc.boolean(),
    enrolled: fc.boolean(),
    reporting: fc.boolean(),
  });
  const unreachable: fc.Arbitrary<Observation> = fc.record({
    kind: fc.constant("unreachable" as const),
    reason: fc.string(),
  });
  const household = fc.uniqueArray(
    fc.record({
      alias: fc.stringMatching(/^[a-z]{1,8}$/u),
      autoStart: fc.boolean(),
      seen: fc.option(fc.oneof(found, unreachable), { nil: undefined }),
    }),
    { selector: ({ alias }) => alias, maxLength: 8 },
  );
  type Machines = { alias: string; autoStart: boolean; seen: Observation | undefined }[];
  const plan = (machines: Machines) =>
    planSync(
      machines.map(({ alias, autoStart }) => ({ alias, target: alias, autoStart })),
      new Map(machines.flatMap(({ alias, seen }) => (seen === undefined ? [] : [[alias, seen] as const]))),
    );
  /** What a machine is like once the action has succeeded there. */
  const after = (seen: Observation | undefined, action: string | undefined): Observation | undefined => {
    if (seen?.kind !== "found" || action === "none") return seen;
    const runs = { running: true, reporting: true, enrolled: true };
    return action === "start"
      ? { ...seen, ...runs }
      : { ...seen, ...runs, installed: { version: seen.offered.version, build: seen.offered.builds[0] ?? null } };
  };

  it("nothing is done on a machine that could not be seen, and every machine is in the plan once", () => {
    fc.assert(
      fc.property(household, (machines) => {
        const made = plan(machines);
        expect(made.map(({ alias }) => alias)).toEqual(machines.map(({ alias }) => alias));
        for (const [index, { action }] of made.entries())
          expect(action === "unreachable").toBe(machines[index]?.seen?.kind !== "found");
      }),
    );
  });

  it("a plan that was carried out leaves nothing to do", () => {
    fc.assert(
      fc.property(household, (machines) => {
        const made = plan(machines);
        const then = machines.map((each, index) => ({ ...each, seen: after(each.seen, made[index]?.action) }));
        for (const { action } of plan(then)) expect(["none", "unreachable"]).toContain(action);
      }),
    );
  });

  it("what is done on one machine does not depend on the others", () => {
    fc.assert(
      fc.property(household, (machines) => {
        expect(plan(machines)).toEqual(machines.flatMap((each) => plan([each])));
      }),
    );
  });

  it("a newer version is never replaced by an older one", () => {
    fc.assert(
      fc.property(household, (machines) => {
        for (const [index, { action }] of plan(machines).entries()) {
          const seen = machines[index]?.seen;
          if (seen?.kind !== "found" || typeof seen.installed?.version !== "string" || !seen.enrolled) continue;
          if (compareVersions(seen.installed.version, seen.offered.version) > 0) expect(action).not.toBe("upgrade");
        }
      }),
    );
  });
});

it("versions are compared by their numbers, pre-releases before their release", () => {
  const ordered = ["0.9.0", "1.0.0-alpha", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"];
  expect(ordered.toReversed().sort(compareVersions)).toEqual(ordered);
  expect(compareVersions("1.2.0+abc", "1.2.0")).toBe(0);
});
