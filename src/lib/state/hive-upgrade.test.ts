import type { FleetHive } from "@rbee/contract";
import { expect, it } from "vitest";
import { exampleHive } from "./fleet-fixtures.ts";
import { canUpgrade } from "./hive-upgrade.ts";

const queen = { version: "0.2.0" };
const running = (version: string, enrolment: FleetHive["enrolment"] = "ssh") =>
  exampleHive({ enrolment, capabilities: { version } as NonNullable<FleetHive["capabilities"]> });

it("a hive that the queen installed and that runs another version can be upgraded to hers", () => {
  expect(canUpgrade(running("0.1.0"), queen)).toBe("0.2.0");
  expect(canUpgrade(running("0.1.0", "adopted"), queen)).toBe("0.2.0");
});

it("nothing is offered when it is the same, not known, or out of reach", () => {
  expect(canUpgrade(running("0.2.0"), queen)).toBeNull();
  expect(canUpgrade(exampleHive({ enrolment: "ssh", capabilities: null }), queen)).toBeNull();
  expect(canUpgrade(running("0.1.0", "join_token"), queen)).toBeNull();
  expect(canUpgrade(running("0.1.0", "local"), queen)).toBeNull();
});
