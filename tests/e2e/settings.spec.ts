import { expect, test } from "@playwright/test";
import { administrator, startHousehold, type Household } from "../support/household.ts";

let household: Household;

test.beforeAll(async () => {
  household = await startHousehold({ localHive: false });
});
test.afterAll(() => household.stop());

test("the household gets another name, and every open page shows it", async ({ page, context }) => {
  await page.goto(`${household.url}/login`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  await page.getByRole("button", { name: /sign in/iu }).click();
  await expect(page).not.toHaveURL(/\/login/u);
  const elsewhere = await context.newPage();
  await elsewhere.goto(`${household.url}/chat`);
  await page.goto(`${household.url}/settings`);
  await page.getByLabel("Name of the household").fill("The Beehive");
  await page.getByRole("button", { name: "Save" }).click();
  for (const open of [page, elsewhere]) await expect(open.getByRole("banner").first()).toContainText("The Beehive");
  expect((await household.fleet()).queen.household).toBe("The Beehive");
  await page.reload();
  await expect(page.getByLabel("Name of the household")).toHaveValue("The Beehive");
});
