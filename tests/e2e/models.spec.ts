import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { FakeHub } from "../support/fake-hub.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { administrator, startHousehold, type Household } from "../support/household.ts";
import { projectRoot } from "../support/process.ts";

const repository = "bees/honey-GGUF";
let hub: FakeHub;
let household: Household;
let attic: TestHive;
let home: string;

test.beforeAll(async () => {
  hub = await FakeHub.start();
  const model = readFileSync(join(projectRoot, "models/bee-tiny/bee-tiny-q8_0.gguf"));
  hub.add(repository, "honey-Q8_0.gguf", model);
  hub.add(repository, "honey-Q4_K_M.gguf", Buffer.concat([model, Buffer.from("q4")]));
  hub.describe(repository, {
    ...{ downloads: 12_345, likes: 6 },
    gguf: { total: 3.6e6, architecture: "llama", context_length: 1_024 },
  });
  hub.add("bees/secret-GGUF", "secret-Q8_0.gguf", model);
  hub.describe("bees/secret-GGUF", { downloads: 3, gated: "manual" });
  const env = { HF_ENDPOINT: hub.url };
  household = await startHousehold({ env });
  home = (await household.readyHive()).name;
  attic = await joinedHive(household, "attic", env);
});
test.afterAll(async () => {
  await attic.stop();
  await household.stop();
  await hub.close();
});

test("a model is found, seen to fit, got with progress, copied, set up and deleted", async ({ page }) => {
  await test.step("somebody signs in and is shown models to begin with", async () => {
    await page.goto(`${household.url}/login`);
    await page.getByLabel("Name").fill(administrator.name);
    await page.getByLabel("Password", { exact: true }).fill(administrator.password);
    await page.getByRole("button", { name: /sign in/iu }).click();
    await expect(page).not.toHaveURL(/\/login/u);
    await page.goto(`${household.url}/models`);
    await expect(page.getByRole("heading", { name: "Models to begin with" })).toBeVisible();
    await expect(page.getByText("Qwen 2.5 0.5B").or(page.getByText("Qwen3 1.7B")).first()).toBeVisible();
  });

  await test.step("a search shows what fits where, and what one has to ask for", async () => {
    await page.getByLabel("Search the hub").fill("bees");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await expect(page).toHaveURL(/\/hub\?q=bees/u);
    const found = page.getByRole("listitem").filter({ hasText: repository });
    await expect(found).toContainText("12,345 downloads a month");
    await expect(found).toContainText(/fits\s+on/u);
    await expect(page.getByRole("listitem").filter({ hasText: "bees/secret-GGUF" })).toContainText("ask for access");
  });

  await test.step("a hub that fails says so, and can be asked again", async () => {
    hub.listingMoods.push({ kind: "status", status: 429 });
    await page.goto(`${household.url}/hub?q=bees`);
    await expect(page.getByRole("alert")).toContainText("asks for patience");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("link", { name: repository })).toBeVisible();
  });

  await test.step("each file says what it needs on each machine; getting one shows live progress", async () => {
    await page.getByRole("link", { name: repository }).click();
    const file = page.getByRole("listitem").filter({ hasText: "honey-Q4_K_M.gguf" }).last();
    await expect(file).toContainText("the usual choice");
    for (const name of [home, "attic"])
      await expect(file.getByRole("listitem").filter({ hasText: name })).toContainText(/fits.*needs/u);
    await expect(page.getByText("Estimated from the file's header.")).toBeVisible();
    hub.pace = { chunkBytes: 64 * 1024, delayMs: 60 };
    await page.getByLabel("Get it to").selectOption("attic");
    await page.getByRole("button", { name: `Get hf:${repository}:Q4_K_M` }).click();
    await expect(page.getByRole("progressbar")).toBeVisible();
    await expect(page.getByText(/ of 3\.9 MB/u)).toBeVisible();
    await expect(page.getByText("honey-Q4_K_M is on attic.")).toBeVisible();
    await expect(file).toContainText("is there");
  });

  await test.step("its page says where it lives, and copies it to another machine without the hub", async () => {
    const asked = hub.fileRequests.length;
    await page.getByRole("link", { name: "Its page", exact: true }).click();
    await expect(page.getByRole("heading", { name: "honey-Q4_K_M", level: 1 })).toBeVisible();
    await page.getByRole("button", { name: `Copy honey-Q4_K_M to ${home}` }).click();
    await expect(page.getByText(`honey-Q4_K_M is on ${home}.`)).toBeVisible();
    await expect(page.getByRole("button", { name: /^Delete/u })).toHaveCount(2);
    expect(hub.fileRequests).toHaveLength(asked);
  });

  await test.step("why it would run here and not there is told for each machine", async () => {
    const why = page.getByRole("region", { name: "Why here, why not there" });
    await expect(why.getByRole("listitem")).toHaveCount(2);
    for (const name of [home, "attic"])
      await expect(why.getByRole("listitem").filter({ hasText: `${name} has` })).toContainText("can load it");
  });

  await test.step("settings are kept, and a wrong one is told beside its field", async () => {
    await page.getByLabel("Context per slot").fill("999999");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByLabel("Context per slot")).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Context per slot").fill("512");
    await page.getByLabel("Other names").fill("honey, sweet");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("The settings are saved.")).toBeVisible();
    await page.reload();
    await expect(page.getByLabel("Context per slot")).toHaveValue("512");
    await expect(page.getByLabel("Other names")).toHaveValue("honey, sweet");
  });

  await test.step("it is deleted from one machine, and stays on the other", async () => {
    await page
      .getByRole("row", { name: /attic/u })
      .getByRole("button", { name: /^Delete/u })
      .click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("button", { name: "Copy honey-Q4_K_M to attic" })).toBeVisible();
    const { models } = await household.fleet();
    expect(models.find(({ id }) => id === "honey-Q4_K_M")?.hives).toHaveLength(1);
  });
});
