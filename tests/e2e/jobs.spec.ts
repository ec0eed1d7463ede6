import { expect, test } from "@playwright/test";
import { administrator, startHousehold, type Household } from "../support/household.ts";

let household: Household;

test.beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
});
test.afterAll(() => household.stop());

test("a job is followed live, found again, and tried again", async ({ page }) => {
  await test.step("somebody signs in", async () => {
    await page.goto(`${household.url}/login`);
    await page.getByLabel("Name").fill(administrator.name);
    await page.getByLabel("Password", { exact: true }).fill(administrator.password);
    await page.getByRole("button", { name: /sign in/iu }).click();
    await expect(page).not.toHaveURL(/\/login/u);
  });

  await test.step("a model that is loaded now leads to a job that tells how it goes", async () => {
    await page.goto(`${household.url}/models`);
    await page.getByRole("button", { name: "Load bee-tiny now" }).click();
    await expect(page).toHaveURL(/\/jobs\/job:/u);
    await expect(page.getByRole("heading", { name: "Load a model: bee-tiny" })).toBeVisible();
    await expect(page.getByText("Loading bee-tiny", { exact: false }).first()).toBeVisible();
    await expect(page.getByText(/took/u)).toBeVisible();
  });

  await test.step("the same story is there after a reload, and in the list", async () => {
    await page.reload();
    await expect(page.getByText("Finding a machine for bee-tiny").first()).toBeVisible();
    await page.getByText("Everything it told").click();
    await expect(page.getByRole("log")).toContainText("bee-tiny is ready");
    await page.goto(`${household.url}/jobs`);
    await expect(page.getByRole("row", { name: /Load a model.*done.*Ada/u })).toBeVisible();
  });

  await test.step("a job that failed shows why, what to do, and the step that is open; it can be tried again", async () => {
    const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "gpt-nothing" } });
    await page.goto(`${household.url}/jobs/${job_id}`);
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("No hive of this household has the model gpt-nothing");
    await expect(alert).toContainText("It has: bee-tiny");
    await expect(page.getByRole("listitem").filter({ has: alert })).toContainText("Finding a machine for gpt-nothing");
    await alert.getByRole("button", { name: "Try again" }).click();
    await expect(page).not.toHaveURL(new RegExp(`${job_id}$`, "u"));
    await expect(page.getByRole("alert")).toContainText("gpt-nothing");
  });

  await test.step("looking again for machines is a job too, one click away", async () => {
    await page.goto(`${household.url}/machines`);
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByRole("button", { name: "Show" }).click();
    await expect(page.getByRole("heading", { name: "Look again: 1 machine" })).toBeVisible();
    await expect(page.getByText(/took/u)).toBeVisible();
  });
});
