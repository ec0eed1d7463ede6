import { describe, expect, it } from "vitest";
import { chooseBackend, leftOnCpu, type OnDevice } from "./backend.ts";

describe("chooseBackend", () => {
  it("asks the library for exactly the backend and device named", () => {
    expect(chooseBackend("cpu", "cpu")).toEqual({ gpu: false, environment: {} });
    expect(chooseBackend("cuda", "cuda:1")).toEqual({ gpu: "cuda", environment: { CUDA_VISIBLE_DEVICES: "1" } });
    expect(chooseBackend("metal", "metal:0")).toEqual({ gpu: "metal", environment: {} });
  });

  it.each([
    ["rocm", "rocm:0"],
    ["cuda", "cpu"],
    ["cpu", "cuda:0"],
    ["cuda", "cuda:x"],
  ] as const)("refuses %s on %s instead of falling back", (backend, device) => {
    expect(() => chooseBackend(backend, device)).toThrow(expect.objectContaining({ code: "backend_unavailable" }));
  });
});

describe("a model that was loaded for a GPU", () => {
  const found: OnDevice = {
    ...{ backend: "cuda", device: "cuda:0", deviceNames: ["NVIDIA GeForce RTX 3060"], layersWanted: undefined },
    ...{ layersOnDevice: 33, bytesOnDevice: 5e9 },
  };

  it("is there", () => {
    expect(leftOnCpu(found)).toBeNull();
    expect(leftOnCpu({ ...found, layersWanted: 0, layersOnDevice: 0, bytesOnDevice: 0 })).toBeNull();
  });

  it.each([
    ["the library sees no device", { deviceNames: [] }],
    ["no layer went to the device", { layersOnDevice: 0 }],
    ["nothing of the device's memory was taken", { bytesOnDevice: 0 }],
  ])("is refused when %s, since it would compute on the CPU", (_, silent) => {
    expect(leftOnCpu({ ...found, ...silent })).toMatchObject({ code: "backend_unavailable", param: "device" });
  });
});
