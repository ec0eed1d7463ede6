import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Household } from "../../support/household.ts";
import { startInstalling, type Installing } from "../../support/installing.ts";
import { whySkipped } from "../../support/ssh-host/available.ts";
import type { SshHost } from "../../support/ssh-host/host.ts";
import { createKey } from "../../support/ssh-host/keys.ts";

const skipped = whySkipped === null ? "" : ` (${whySkipped})`;

describe.skipIf(whySkipped !== null)(`the registry of machines${skipped}`, () => {
  let place: Installing;
  let household: Household;
  let attic: SshHost;
  let cellar: SshHost;
  beforeAll(async () => {
    place = await startInstalling();
    household = place.household;
    attic = await place.machine("attic", { known: false });
    cellar = await place.machine("cellar", { known: false });
    const other = await createKey(join(place.ssh.home, "other"));
    await place.machine("locked", { authorizedKeys: [other.publicKey] });
    for (const [alias, { address, port, user }] of [
      ["loft", attic],
      ["basement", cellar],
    ] as const)
      place.configure(alias, [`HostName ${address}`, `Port ${port}`, `User ${user}`]);
  });
  afterAll(() => place.stop());

  const names = async () => (await household.admin.listBeehives()).data.map(({ name, target }) => `${name}=${target}`);

  it("asks for an unknown host key to be accepted, and remembers nothing before", async () => {
    const error = await household.admin.addBeehive({ body: { target: "attic" } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "ssh_host_key_unknown",
      details: { host: "attic", fingerprint: await attic.fingerprint() },
    });
    expect(await names()).toEqual([]);
  });

  it("adds a machine that can be reached, once its key is accepted", async () => {
    const body = { target: "attic", ssh: { accept_fingerprints: [await attic.fingerprint()] } };
    expect(await household.admin.addBeehive({ body })).toMatchObject({
      name: "attic",
      target: "attic",
      hive_port: 7835,
      auto_start: true,
      install_method: { bundle: {} },
      hive_id: null,
    });
    expect(await names()).toEqual(["attic=attic"]);
  });

  it.each([
    ["its name", { target: "cellar", name: "attic" }],
    ["its target", { target: "attic", name: "other" }],
    ["its address by another alias", { target: "loft" }],
  ])("refuses a machine that is there already by %s, and says what to do", async (_, body) => {
    await expect(household.admin.addBeehive({ body })).rejects.toMatchObject({
      code: "already_exists",
      details: { name: "attic", target: "attic" },
      suggestion: "Change it with `rbee hive update attic …`, or forget it with `rbee hive remove attic`.",
    });
    expect(await names()).toEqual(["attic=attic"]);
  });

  it("refuses the second of two who add one machine at the same time", async () => {
    const accept = { ssh: { accept_fingerprints: [await cellar.fingerprint()] } };
    const adding = ["cellar", "basement"].map((target) => household.admin.addBeehive({ body: { target, ...accept } }));
    const ended = await Promise.allSettled(adding);
    const refused = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as { code: string }] : []));
    expect(refused).toMatchObject([{ code: "already_exists" }]);
    for (const { name } of (await household.admin.listBeehives()).data)
      if (name !== "attic") await household.admin.removeBeehive({ params: { name } });
  });

  it("passes on why it cannot sign in", async () => {
    await expect(household.admin.addBeehive({ body: { target: "locked" } })).rejects.toMatchObject({
      code: "ssh_auth_failed",
      details: { host: "locked", needs: "key" },
    });
    expect(await names()).toEqual(["attic=attic"]);
  });

  it("tests a new target before it takes the place of the old one", async () => {
    const nowhere = { name: "attic", target: `${attic.user}@${attic.address}:1` };
    await expect(household.admin.updateBeehive({ body: nowhere })).rejects.toMatchObject({ code: "hive_unreachable" });
    expect(await names()).toEqual(["attic=attic"]);
    await household.admin.updateBeehive({ body: { name: "attic", target: "cellar", new_name: "cellar" } });
    expect(await names()).toEqual(["cellar=cellar"]);
    const changed = await household.admin.updateBeehive({ body: { name: "cellar", hive_port: 7900 } });
    expect(changed).toMatchObject({ name: "cellar", target: "cellar", hive_port: 7900, auto_start: true });
  });

  it("forgets a machine, and says which there are when it is asked for another", async () => {
    await expect(household.admin.removeBeehive({ params: { name: "attic" } })).rejects.toMatchObject({
      code: "node_not_found",
      suggestion: "Registered are: cellar. `rbee hive add TARGET` registers another.",
    });
    await household.admin.removeBeehive({ params: { name: "cellar" } });
    expect(await names()).toEqual([]);
  });

  it("takes no name that stands for something else in its address", async () => {
    await expect(household.admin.addBeehive({ body: { target: "attic", name: "list" } })).rejects.toMatchObject({
      code: "invalid_request",
      param: "name",
    });
  });
});
