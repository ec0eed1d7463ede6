import { describe, expect, it } from "vitest";
import { chooseBackend } from "./backend.ts";

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
