import { randomUUID } from "node:crypto";
import type { HiveFit, HubFile, HubModel, HubStarter } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { failure, narration, result, serveJobs } from "../../test/jobs.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

describe("rbee model pull", () => {
  it("asks the queen for what the options say; the model's id alone is on stdout", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded", { data: { model: "helper", hive: "attic", already: false } }));
    });
    const { exitCode, out } = await place.rbee(["model", "pull", "hf:a/b:Q4_K_M", "--hive", "attic", "--as", "helper"]);
    expect([exitCode, out]).toEqual([0, "helper\n"]);
    expect(jobs[0]?.request).toEqual({
      operation: "model_download",
      model: "hf:a/b:Q4_K_M",
      hive: "attic",
      id: "helper",
    });
  });

  it("that fails shows the error and its suggestion, and Ctrl-C cancels it on the queen", async () => {
    const error = failure("download_forbidden", { suggestion: "Set HF_TOKEN." });
    serveJobs(queen, (job) => {
      job.tell(result("failed", { error }));
    });
    const failed = await place.rbee(["model", "pull", "hf:a/b"]);
    expect(failed).toMatchObject({ exitCode: 1, out: "" });
    expect(failed.error).toContain("Set HF_TOKEN.");

    serveJobs(queen, (job) => {
      job.tell(narration("The files come.", { actor: "hive:attic" }));
      void job.cancelled.then(() => {
        job.tell(result("cancelled"));
      });
    });
    const running = place.start(["model", "pull", "hf:a/b"]);
    await running.shows("The files come.");
    running.child.kill("SIGINT");
    expect((await running.ended).exitCode).toBe(130);
    expect(running.text()).toContain("the job was cancelled");
  });
});

describe("rbee model rm", () => {
  it("asks first, and does nothing when nobody can be asked", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded"));
    });
    const unasked = await place.rbee(["model", "rm", "helper"]);
    expect(unasked.exitCode).toBe(2);
    expect(unasked.error).toContain("--yes");
    expect(jobs).toEqual([]);
    expect((await place.rbee(["model", "rm", "helper", "--hive", "attic", "--force", "--yes"])).exitCode).toBe(0);
    expect(jobs[0]?.request).toEqual({ operation: "model_delete", model: "helper", hive: "attic", force: true });
  });
});

describe("rbee model search", () => {
  const fit = (name: string, verdict: HiveFit["verdict"], change: Partial<HiveFit> = {}): HiveFit => ({
    ...{ hive_id: `hive:${randomUUID()}`, name, verdict, device: "cpu", need_mb: 5_000, have_mb: 9_000 },
    ...{ have_unloaded_mb: 9_000, model: null, reason: "because" },
    disk: { need_mb: 5_000, have_mb: 90_000, enough: true },
    ...change,
  });
  const full = { need_mb: 5_000, have_mb: 100, enough: false };
  const repository: Omit<HubModel, "size_bytes" | "fits"> = {
    ...{ repository: "Qwen/Qwen3-8B-GGUF", downloads: 123_456, likes: 9, gated: true, private: false },
    ...{ updated_at: null, parameters: 8.19e9, architecture: "qwen3", context_length: 40_960 },
  };
  const file: HubFile = {
    ...{ reference: "hf:Qwen/Qwen3-8B-GGUF:Q4_K_M", file: "q.gguf", parts: 2, quantization: "Q4_K_M" },
    ...{ size_bytes: 5.03e9, context_length: 8_192, basis: "size" },
    fits: [fit("attic", "fits", { model: "qwen" }), fit("cellar", "fits_after_unloading", { disk: full })],
  };
  const shown = (text: string) => text.split("\n").filter((line) => line !== "");

  it("lists repositories with how they fit on each machine, in 80 columns", async () => {
    const data = [{ ...repository, size_bytes: 5e9, fits: [fit("attic", "fits"), fit("cellar", "too_big")] }];
    queen.handlers.set("GET /v1/hub/models?q=qwen3+8b&limit=5&context=4096", json(200, { data }));
    const asked = await place.rbee(["model", "search", "qwen3", "8b", "--limit", "5", "--context", "4096"]);
    expect([asked.exitCode, shown(asked.out)]).toEqual([
      0,
      ["PARAMS  PULLS  FITS IN Q4         REPOSITORY", "  8.2B   123k  ● attic  ○ cellar  Qwen/Qwen3-8B-GGUF (gated)"],
    ]);
    expect(asked.error).toContain("● fits");
  });

  it("lists the files of a repository that is named, however it is written, and says what it could not read", async () => {
    queen.handlers.set(
      "GET /v1/hub/models/Qwen/Qwen3-8B-GGUF",
      json(200, { ...repository, revision: "c0ffee0", files: [file] }),
    );
    for (const named of ["Qwen/Qwen3-8B-GGUF", "https://huggingface.co/Qwen/Qwen3-8B-GGUF"]) {
      const asked = await place.rbee(["model", "search", named]);
      expect(shown(asked.out)).toEqual([
        "TO PULL                         SIZE  PARTS  FITS ON",
        "hf:Qwen/Qwen3-8B-GGUF:Q4_K_M  5.0 GB      2  ● attic ✓  ◐ cellar !",
      ]);
      expect(asked.error).toContain("by the file's size alone");
    }
    const told = await place.rbee(["model", "search", "Qwen/Qwen3-8B-GGUF", "--json"]);
    expect(JSON.parse(told.out)).toMatchObject({ files: [{ fits: [{ name: "attic" }, { disk: { enough: false } }] }] });
    expect(told.error).toBe("");
  });

  it("shows models to begin with, and the hub's refusal with its remedy", async () => {
    const starter: HubStarter = {
      ...{ reference: file.reference, name: "Qwen3 8B", size_class: "medium", parameters: 8.19e9 },
      ...{ size_bytes: 5.03e9, context_length: 40_960, good_at: "Everything.", fits: [fit("attic", "unknown")] },
    };
    queen.handlers.set("GET /v1/hub/starters", json(200, { data: [starter] }));
    expect(shown((await place.rbee(["model", "search", "--starters"])).out)[1]).toBe(
      "medium  hf:Qwen/Qwen3-8B-GGUF:Q4_K_M  5.0 GB  – attic",
    );
    const error = failure("download_forbidden", { suggestion: "Set HF_TOKEN." });
    queen.handlers.set("GET /v1/hub/models?q=bee&limit=20", json(502, { error }));
    const refused = await place.rbee(["model", "search", "bee"]);
    expect([refused.exitCode, refused.out]).toEqual([1, ""]);
    expect(refused.error).toContain("Set HF_TOKEN.");
    expect((await place.rbee(["model", "search", "bee", "--limit", "0"])).exitCode).toBe(2);
  });
});
