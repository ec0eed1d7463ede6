import type { RequestEvent } from "@sveltejs/kit";
import { describe, expect, it } from "vitest";
import { clientInfo } from "./client-info.ts";

const visit = (peer: string, url: string, headers: Record<string, string> = {}) =>
  clientInfo({
    request: new Request(url, { headers }),
    url: new URL(url),
    getClientAddress: () => peer,
  } as unknown as RequestEvent);

describe("who counts as being at the queen's own machine", () => {
  it("is who comes over loopback and asks for loopback", () => {
    expect(visit("::ffff:127.0.0.1", "http://localhost:7833/").loopback).toBe(true);
    expect(visit("192.168.1.20", "http://localhost:7833/").loopback).toBe(false);
  });

  it("is nobody whom a proxy on this machine passes on", () => {
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "via"])
      expect(visit("127.0.0.1", "http://127.0.0.1:7833/", { [name]: "192.168.1.20" }).loopback).toBe(false);
  });

  it("is no page of another site that resolves its name to this machine", () => {
    expect(visit("127.0.0.1", "http://evil.example:7833/").loopback).toBe(false);
  });
});
