import { expect, test, type Page } from "@playwright/test";
import { longChat } from "../support/chat-stream.ts";
import { administrator, startHousehold, type Household } from "../support/household.ts";
import { invitedMember } from "../support/people.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

test.beforeAll(async () => {
  household = await startHousehold({ env: { RBEE_WORKER_SLOTS: "1" } });
  await household.readyHive();
});
test.afterAll(() => household.stop());

async function signIn(page: Page) {
  await page.goto(`${household.url}/login`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  await page.getByRole("button", { name: /sign in/iu }).click();
  await expect(page).not.toHaveURL(/\/login/u);
}

/** Answers that go on, each followed by the next, until the function is called. */
function longAnswers(count: number): () => void {
  const leaving = new AbortController();
  const { signal } = leaving;
  const answers = async () => {
    while (!signal.aborted) for await (const _ of await longChat(household.admin, signal));
  };
  for (let index = 0; index < count; index += 1) void answers().catch(() => {});
  return () => {
    leaving.abort();
  };
}

test("a worker is loaded, watched, read and stopped", async ({ page }) => {
  await signIn(page);
  await page.getByRole("link", { name: "Workers" }).first().click();
  await expect(page.getByText("No model is loaded")).toBeVisible();

  await test.step("it is loaded with the settings asked for, and its job is told live", async () => {
    await page.getByRole("button", { name: "Load a model" }).first().click();
    await page.getByLabel("Model", { exact: true }).selectOption("bee-tiny");
    await page.getByLabel("Slots").fill("3");
    await page.getByLabel("Context").fill("1024");
    await page.getByRole("button", { name: "Load it" }).click();
    await expect(page.getByRole("heading", { name: "Load a model: bee-tiny" })).toBeVisible();
    await expect(page.getByText(/took/u)).toBeVisible({ timeout: 60_000 });
  });

  const row = page.getByRole("row", { name: /bee-tiny/u });
  await test.step("it shows as ready, with its slots and when it will stop", async () => {
    await expect(row).toContainText("ready");
    await expect(row).toContainText("0 of 3 slots busy");
    await expect(row).toContainText(/stops in \d/u);
  });

  await test.step("its log is on its page, and stands still while it is held", async () => {
    await row.getByRole("link", { name: /Log of bee-tiny/u }).click();
    const log = page.getByRole("log");
    await expect(log).not.toBeEmpty();
    await page.getByRole("button", { name: "Ask it how it is" }).click();
    await expect(page.getByText(/It answered in \d+ ms/u)).toBeVisible();
    await page.getByRole("button", { name: "Pause" }).click();
    await expect(page.getByRole("button", { name: "Go on" })).toBeVisible();
    await page.getByRole("button", { name: "Go on" }).click();
    await expect(page.getByText("live", { exact: true }).first()).toBeVisible();
  });

  await test.step("stopping it warns while it is busy, and says that its log is kept", async () => {
    const end = longAnswers(1);
    await waitFor("a busy worker", async () =>
      (await household.admin.listWorkers()).data.some(({ slots_busy }) => slots_busy === 1),
    );
    await page.getByRole("button", { name: /Stop bee-tiny/u }).click();
    await expect(page.getByRole("alertdialog")).toContainText("It is writing an answer.");
    end();
    await page.getByRole("alertdialog").getByRole("button", { name: "Stop" }).click();
    await expect(page.getByText("This worker runs no more.")).toBeVisible({ timeout: 60_000 });
    await page.reload();
    await expect(page.getByRole("log")).not.toBeEmpty();
  });
});

test("the queue is seen by everybody, each under their own name only, and left again", async ({ page, browser }) => {
  await signIn(page);
  const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "bee-tiny" } });
  await waitFor(
    "a loaded model",
    async () => {
      const { state } = await household.admin.getJob({ params: { id: job_id } });
      return state === "succeeded";
    },
    { limitMs: 60_000 },
  );
  await page.goto(`${household.url}/queue`);
  await expect(page.getByText("Nobody waits")).toBeVisible();

  const end = longAnswers(2);
  const worker = await waitFor("a busy worker", async () =>
    (await household.admin.listWorkers()).data.find(({ slots_busy }) => slots_busy === 1),
  );
  // Held in its tracks, so that the queue stays as it is while it is looked at.
  process.kill(worker.pid ?? 0, "SIGSTOP");
  try {
    const mia = await invitedMember(household, "Mia");
    const left = new AbortController();
    const body = { model: "bee-tiny", stream: true, messages: [{ role: "user" as const, content: "Hello" }] };
    const waits = household
      .client(mia.key)
      .raw.chat({ body, signal: left.signal, timeoutMs: 60_000 })
      .then(
        () => "answered",
        () => "ended",
      );
    await waitFor("Mia's place", async () => (await household.admin.queue()).data.length === 1);

    await test.step("the administrator sees who waits", async () => {
      const row = page.getByRole("row", { name: /Mia/u });
      await expect(row).toContainText("next");
      await expect(row).toContainText("waits for a free slot");
      await expect(page.getByRole("row", { name: /you/u }).first()).toContainText("being answered");
    });

    await test.step("Mia sees herself, and others without their names", async () => {
      const context = await browser.newContext();
      const [name = "", value = ""] = mia.cookie.split("=");
      await context.addCookies([{ name, value, url: household.url }]);
      const hers = await context.newPage();
      await hers.goto(`${household.url}/queue`);
      await expect(hers.getByRole("row", { name: /you/u })).toContainText("next");
      await expect(hers.getByRole("row", { name: /somebody else/u }).first()).toBeVisible();
      await expect(hers.getByText(administrator.name)).toHaveCount(0);
      await hers.getByRole("button", { name: /Cancel the request of you/u }).click();
      await hers.getByRole("button", { name: "Cancel this request" }).click();
      await expect(hers.getByText("The request is cancelled.")).toBeVisible();
      await context.close();
    });
    expect(await waits).toBe("ended");
    left.abort();

    await test.step("somebody who asks now sees their place in the chat", async () => {
      await page.goto(`${household.url}/chat`);
      await page.getByLabel("Your message").fill("Hello");
      await page.getByLabel("Your message").press("Enter");
      await expect(page.getByText("All places are taken; you are next")).toBeVisible();
    });
  } finally {
    process.kill(worker.pid ?? 0, "SIGCONT");
    end();
  }
});
