import { expect, test } from "@playwright/test";
import { administrator, startHousehold, type Household } from "../support/household.ts";

/** The first evening of a household, in a real browser. */
let household: Household;

test.beforeAll(async () => {
  household = await startHousehold({ setUp: false });
});
test.afterAll(() => household.stop());

test("first run, chat, key, sign-out, member invitation", async ({ page, browser }) => {
  await test.step("the first visitor creates the administrator", async () => {
    await page.goto(household.url);
    await expect(page).toHaveURL(/\/setup/u);
    await page.getByLabel("Name").fill(administrator.name);
    await page.getByLabel("Password", { exact: true }).fill(administrator.password);
    await page.getByRole("button", { name: /create/iu }).click();
    await expect(page).toHaveURL(new RegExp(`^${household.url}/?$`, "u"));
  });

  await test.step("the fleet shows this machine, healthy and live", async () => {
    await expect(page.getByText("healthy", { exact: false }).first()).toBeVisible();
    await expect(page.getByText("CPU", { exact: true }).first()).toBeVisible();
  });

  await test.step("a chat with bee-tiny answers and says how fast", async () => {
    await page.goto(`${household.url}/chat`);
    await page.getByRole("textbox", { name: /message/iu }).fill("What is rbee?");
    await page.keyboard.press("Enter");
    const answer = page.getByRole("article", { name: /bee-tiny/iu }).last();
    await expect(answer).toContainText(/\w{3,}/u);
    await expect(answer).toContainText(/tokens\/s/u, { timeout: 30_000 });
  });

  let key = "";
  await test.step("an API key is shown once, with snippets for this household", async () => {
    await page.goto(`${household.url}/apps`);
    await page.getByLabel("Name").fill("notebook");
    await page.getByRole("button", { name: /create/iu }).click();
    const text = await page
      .getByText(/rbee_[A-Za-z0-9_-]{20,}/u)
      .first()
      .textContent();
    key = /rbee_[A-Za-z0-9_-]{20,}/u.exec(text ?? "")?.[0] ?? "";
    expect(key).not.toBe("");
    await expect(page.locator("body")).toContainText("/v1/chat/completions");
  });

  await test.step("the key works", async () => {
    const { data } = await household.client(key).listModels();
    expect(data.map(({ id }) => id)).toEqual(["bee-tiny"]);
  });

  let invitation = "";
  await test.step("a member is invited by link", async () => {
    await page.goto(`${household.url}/people`);
    await page.getByRole("button", { name: /invit/iu }).first().click();
    const link = page.getByText(/\/invite\/[A-Za-z0-9_-]+/u).first();
    await expect(link).toBeVisible();
    invitation = /https?:\/\/\S+\/invite\/[A-Za-z0-9_-]+/u.exec((await link.textContent()) ?? "")?.[0] ?? "";
    expect(invitation).not.toBe("");
  });

  await test.step("signing out closes the door", async () => {
    await page
      .getByRole("button", { name: /Ada|account|menu/iu })
      .first()
      .click();
    await page.getByRole("menuitem", { name: /sign out/iu }).click();
    await expect(page).toHaveURL(/\/login/u);
    await page.goto(`${household.url}/people`);
    await expect(page).toHaveURL(/\/login/u);
  });

  await test.step("the member joins on a phone, chats, and sees no administration", async () => {
    const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const member = await phone.newPage();
    await member.goto(new URL(new URL(invitation).pathname, household.url).href);
    await member.getByLabel("Name").fill("Grace");
    await member.getByLabel("Password", { exact: true }).fill("likes bees a lot");
    await member.getByRole("button", { name: /join|create|accept/iu }).click();
    await expect(member).not.toHaveURL(/\/invite\//u);
    await member.goto(`${household.url}/chat`);
    await member.getByRole("textbox", { name: /message/iu }).fill("Who are you?");
    await member.getByRole("button", { name: /send/iu }).click();
    await expect(member.getByRole("article", { name: /bee-tiny/iu }).last()).toContainText(/tokens\/s/u, {
      timeout: 30_000,
    });
    const people = await member.goto(`${household.url}/people`);
    expect(people?.status()).toBe(403);
    const overflow = await member.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    await phone.close();
  });
});

test("wrong passwords are refused plainly", async ({ page }) => {
  await page.goto(`${household.url}/login`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill("wrong wrong wrong");
  await page.getByRole("button", { name: /sign in/iu }).click();
  await expect(page.getByRole("alert")).toContainText(/wrong/iu);
});

test("an interrupted live stream says so and recovers", async ({ page, context }) => {
  await page.goto(`${household.url}/login`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  await page.getByRole("button", { name: /sign in/iu }).click();
  await expect(page.getByText("healthy", { exact: false }).first()).toBeVisible();
  // Looked for while she is away: she may be back before anybody could look afterwards.
  const told = page.getByText(/reconnecting/iu).waitFor({ timeout: 15_000 });
  await household.restartQueen();
  await told;
  await expect(page.getByText(/reconnecting/iu)).toBeHidden();
  await expect(page.getByText("healthy", { exact: false }).first()).toBeVisible();
  await context.close();
});
