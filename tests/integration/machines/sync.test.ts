import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SyncOutcome, SyncPlanEntry } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startInstalling, type Installing, type Told } from "../../support/installing.ts";
import { whyNoNamespaces } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";

const skipped = whyNoNamespaces === null ? "" : ` (${whyNoNamespaces})`;

describe.skipIf(whyNoNamespaces !== null)(
  `three machines that hives.conf declares${skipped}`,
  { timeout: 240_000 },
  () => {
    let place: Installing;
    let broken: SshHost;
    const declare = (text: string) => {
      const folder = join(place.household.home, "config");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "hives.conf"), text);
    };
    beforeAll(async () => {
      place = await startInstalling();
      await place.machine("attic");
      await place.machine("cellar");
      broken = await place.machine("broken");
    }, 60_000);
    afterAll(() => place.stop());

    const sync = (more: { dry_run?: boolean; only?: string[] } = {}) =>
      place.run({ operation: "hive_sync", dry_run: false, ...more });
    const three = ["attic", "cellar", "broken"].map((alias) => `[[hive]]\nalias = "${alias}"\n`).join("\n");
    const actions = ({ result }: Told) =>
      ((result.data?.["plan"] ?? result.error?.details?.["plan"]) as SyncPlanEntry[]).map(
        ({ alias, action }) => `${alias} ${action}`,
      );
    const outcomes = ({ result }: Told) =>
      ((result.data?.["hives"] ?? result.error?.details?.["hives"]) as SyncOutcome[]).map(
        ({ alias, outcome }) => `${alias} ${outcome}`,
      );

    it("does nothing without a file, and says what to do", async () => {
      const told = await sync();
      expect(told.result).toMatchObject({ status: "succeeded", data: { plan: [], hives: [] } });
      expect(told.text).toMatch(/hives\.conf does not exist/u);
    });

    it("does nothing when the file has mistakes, and names them all", async () => {
      declare('[[hive]]\nalias = "attic"\nhive_port = 0\n[[hive]]\nhostname = "x"\ncolour = 1\n');
      const { result } = await sync();
      expect(result).toMatchObject({
        status: "failed",
        error: { code: "invalid_request", message: expect.stringMatching(/3 mistakes.*line 3.*hive_port.*colour/u) },
      });
    });

    it("refuses an alias that is not declared, and two names for one machine", async () => {
      declare(three);
      expect((await sync({ only: ["attic", "garage"] })).result).toMatchObject({
        status: "failed",
        error: { code: "invalid_request", suggestion: "It has: attic, cellar, broken." },
      });
      declare(`${three}\n[[hive]]\nalias = "twin"\nhostname = "${broken.address}"\n`);
      expect((await sync()).result).toMatchObject({
        status: "failed",
        error: { message: expect.stringContaining("broken and twin are the same machine") },
      });
    });

    it("only says what it would do when it is asked to", async () => {
      declare(three);
      await broken.stopListening();
      const told = await sync({ dry_run: true });
      expect(told.result).toMatchObject({ status: "succeeded", data: { hives: [] } });
      expect(actions(told)).toEqual(["attic install", "cellar install", "broken unreachable"]);
      expect((await place.household.fleet()).hives).toEqual([]);
      expect((await place.household.admin.listBeehives()).data).toEqual([]);
    });

    it("with one that is broken installs the others to their end, and fails with the reason", async () => {
      const told = await sync();
      expect(told.result, told.text).toMatchObject({
        status: "failed",
        error: {
          code: "hive_unreachable",
          message: expect.stringMatching(/^1 of 3 failed\. broken: .*refuses connections/u),
        },
      });
      expect(outcomes(told)).toEqual(["attic installed", "cellar installed", "broken failed"]);
      const { hives } = await place.household.fleet();
      expect(hives.map(({ name, health }) => `${name} ${health}`).toSorted()).toEqual([
        "attic healthy",
        "cellar healthy",
      ]);
      expect((await place.household.admin.listBeehives()).data.map(({ name }) => name)).toEqual(["attic", "cellar"]);
    });

    it("once more finds nothing to do where all is well", async () => {
      const told = await sync({ only: ["attic", "cellar"] });
      expect(told.result, told.text).toMatchObject({ status: "succeeded" });
      expect(actions(told)).toEqual(["attic none", "cellar none"]);
      expect(outcomes(told)).toEqual(["attic already_installed", "cellar already_installed"]);
    });
  },
);
