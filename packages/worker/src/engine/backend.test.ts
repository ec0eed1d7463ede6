import { describe, expect, it } from "vitest";
import { chooseBackend, deviceUnseen, leftOnCpu } from "./backend.ts";

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

describe("a model for a GPU", () => {
  const asked = { backend: "cuda", device: "cuda:0", layers: undefined } as const;
  const found = { deviceNames: ["NVIDIA GeForce RTX 3060"], layers: 33, bytes: 5e9 };

  it("is not even loaded when the library sees no such device", () => {
    expect(deviceUnseen(asked, found.deviceNames)).toBeNull();
    expect(deviceUnseen(asked, [])).toMatchObject({ code: "backend_unavailable", param: "device" });
  });

  it("is served from there, or from main memory when none of its layers was to be there", () => {
    expect(leftOnCpu(asked, found)).toBeNull();
    expect(leftOnCpu({ ...asked, layers: 0 }, { ...found, layers: 0, bytes: 0 })).toBeNull();
    expect(leftOnCpu({ ...asked, backend: "metal", device: "metal:0" }, { ...found, bytes: 0 })).toBeNull();
  });

  it.each([
    ["no layer went to the device", { layers: 0 }],
    ["nothing of the device's memory was taken", { bytes: 0 }],
  ])("is refused when %s, since it would compute on the CPU", (_, silent) => {
    expect(leftOnCpu(asked, { ...found, ...silent })).toMatchObject({ code: "backend_unavailable", param: "device" });
  });
});
