import { expect, it } from "vitest";
import { temporaryDatabase } from "#lib/server/testing/index.ts";
import { createHousehold } from "./index.ts";

it("a household has a name from the start, and keeps the one it is given", () => {
  const db = temporaryDatabase();
  const open = () => createHousehold({ db, host: "127.0.0.1", publicUrl: undefined });
  const household = open();
  expect(household.name()).toBe("Household");
  household.rename("The Beehive");
  household.rename("The Hive");
  expect([household.name(), open().name()]).toEqual(["The Hive", "The Hive"]);
});
