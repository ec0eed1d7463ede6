import { readJobEvents } from "@rbee/jobs";
import { describe, expect, it } from "vitest";
import { performJob } from "../testing/hive-job.ts";
import { smallHive, token } from "../testing/small-hive.ts";

describe("the jobs of a hive", () => {
  it("check the hive, step by step, and are kept with their result", async () => {
    const hive = await smallHive();
    const { id, result, events } = await performJob(hive.client, { operation: "self_check" });
    expect(result.status).toBe("succeeded");
    const said = events.flatMap((event) => (event.type === "narration" ? [event.action] : []));
    expect(said).toEqual(expect.arrayContaining(["folder", "disk", "database", "backends", "models"]));
    expect(events.every((event) => event.type === "result" || event.actor === "hive")).toBe(true);
    expect(await hive.client.getJob({ params: { id } })).toMatchObject({ operation: "self_check", state: "succeeded" });
    expect((await hive.client.listJobs({})).data.map(({ job_id }) => job_id)).toEqual([id]);
  });

  it("resume after the last event that a follower has, and end with [DONE]", async () => {
    const hive = await smallHive();
    const { id, events } = await performJob(hive.client, { operation: "self_check" });
    const path = `${hive.url}/v1/jobs/${id}/stream`;
    const authorization = `Bearer ${token}`;
    const resumed = await fetch(path, { headers: { authorization, "last-event-id": "3" } });
    const rest = [];
    for await (const event of readJobEvents(resumed.body, { afterSeq: 3 })) rest.push(event);
    expect(rest).toEqual(events.slice(3));
    const text = await (await fetch(path, { headers: { authorization } })).text();
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("are refused by field, and unknown ones are not found", async () => {
    const { client, url } = await smallHive();
    const start = (body: string) =>
      fetch(`${url}/v1/jobs`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body });
    expect((await start('{"operation":"hive_install"}')).status).toBe(400);
    expect((await start('{"operation":"self_check","more":1}')).status).toBe(400);
    for (const call of [client.getJob, client.cancelJob])
      await expect(call({ params: { id: "job:none" } })).rejects.toMatchObject({ code: "job_not_found" });
  });
});
