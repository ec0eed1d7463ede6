import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { fakeTool, fixturePath, temporaryFolder } from "../testing/fixture.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { NvidiaSource, type NvidiaOptions } from "./nvidia.ts";

const listOr = (query: string, list = "echo none") => `if [ "$1" = "-L" ]; then ${list}; exit; fi\n${query}`;

function sourceOf(options: NvidiaOptions): NvidiaSource {
  const source = new NvidiaSource(options);
  onTestFinished(() => {
    source.stop();
  });
  return source;
}

const namesOf = async (source: NvidiaSource) => (await source.read()).map(({ id, name }) => `${id} ${name}`);

describe("NVIDIA's cards", () => {
  it("are none when the tool is missing, at once", async () => {
    const source = sourceOf({ command: "/nonexistent/nvidia-smi" });
    await source.start();
    expect(await source.read()).toEqual([]);
  });

  it("come from one process that keeps running", async () => {
    const starts = join(temporaryFolder(), "starts");
    const tool = fakeTool(
      listOr(
        `echo started >> ${starts}\nwhile true; do cat ${fixturePath("nvidia-query-two-cards.csv")}; sleep 0.05; done`,
      ),
    );
    const source = sourceOf({ command: tool });
    await source.start();
    await eventually("both cards", async () => (await source.read()).length === 2);
    expect(await namesOf(source)).toEqual(["cuda:0 NVIDIA GeForce RTX 4090", "cuda:1 NVIDIA GeForce RTX 3060"]);
    expect(readFileSync(starts, "utf8")).toBe("started\n");
  });

  it("are known by their slices where MIG is on", async () => {
    const tool = fakeTool(
      listOr(`cat ${fixturePath("nvidia-query-mig.csv")}; exec sleep 60`, `cat ${fixturePath("nvidia-list-mig.txt")}`),
    );
    const source = sourceOf({ command: tool });
    await source.start();
    await eventually("three devices", async () => (await source.read()).length === 3);
    expect((await namesOf(source))[0]).toBe("cuda:0 NVIDIA A100-SXM4-40GB MIG 3g.20gb");
  });

  it("are none, soon, when the tool prints garbage and ends", async () => {
    const source = sourceOf({ command: fakeTool(listOr(`cat ${fixturePath("nvidia-garbage.txt")}; exit 9`)) });
    await source.start();
    expect(await source.read()).toEqual([]);
  });

  it("do not hold up the start when the tool hangs", async () => {
    const source = sourceOf({ command: fakeTool("exec sleep 60"), firstLineMs: 50 });
    await source.start();
    expect(await source.read()).toEqual([]);
  });

  it("keep their names and lose their figures when the tool falls silent, which is then started again", async () => {
    const clock = new ManualClock();
    const starts = join(temporaryFolder(), "starts");
    const tool = fakeTool(
      listOr(`echo started >> ${starts}\ncat ${fixturePath("nvidia-query-two-cards.csv")}\nexec sleep 60`),
    );
    const source = sourceOf({ command: tool, clock, staleAfterMs: 5_000, hangAfterMs: 15_000 });
    await source.start();
    await eventually("both cards", async () => (await source.read()).length === 2);
    expect((await source.read())[0]).toEqual(expect.objectContaining({ util_pct: 37 }));
    clock.advance(5_001);
    expect((await source.read())[0]).toEqual(
      expect.objectContaining({
        name: "NVIDIA GeForce RTX 4090",
        util_pct: null,
        vram_used_mb: null,
        vram_total_mb: 24564,
      }),
    );
    clock.advance(10_000);
    await eventually("the backoff after the hung tool was ended", () => clock.pending().includes(1_000));
    clock.advance(1_000);
    await eventually("fresh figures", async () => (await source.read())[0]?.util_pct === 37);
    expect(readFileSync(starts, "utf8")).toBe("started\nstarted\n");
  });

  it("tell what each process holds, over all cards, until it is named no more", async () => {
    const clock = new ManualClock();
    const tool = fakeTool(
      listOr(`case "$1" in *compute-apps*) cat ${fixturePath("nvidia-apps-two-cards.csv")};; \
*) cat ${fixturePath("nvidia-query-two-cards.csv")};; esac
exec sleep 60`),
    );
    const source = sourceOf({ command: tool, clock });
    expect(source.processMemory()).toEqual(new Map());
    await source.start();
    await eventually("both processes", () => source.processMemory().size === 2);
    await eventually("both cards", () => source.processMemory().get(48_213) === 6_408);
    expect(source.processMemory().get(51_877)).toBe(402);
    clock.advance(6_001);
    expect(source.processMemory()).toEqual(new Map());
  });

  it("come without compute capability from a driver that refuses to be asked for it", async () => {
    const tool = fakeTool(
      listOr(`case "$1" in *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;; esac
echo '0, GPU-0e0e0e0e-1111-2222-3333-444455556666, Tesla K80, 3, 64, 11441, 41, 57.10'
exec sleep 60`),
    );
    const source = sourceOf({ command: tool });
    await source.start();
    expect(await namesOf(source)).toEqual(["cuda:0 Tesla K80"]);
  });
});
