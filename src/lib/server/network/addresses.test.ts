import { describe, expect, it } from "vitest";
import { addressTowards, isLoopback, isLoopbackHost, plainAddress, senderAddress, urlHost } from "./index.ts";

describe("addresses", () => {
  it("are compared without the IPv6 wrapping and the zone", () => {
    expect(plainAddress("::ffff:192.168.1.7")).toBe("192.168.1.7");
    expect(plainAddress("fe80::1%eth0")).toBe("fe80::1");
  });

  it("of this machine are told from names that look like one", () => {
    for (const address of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) expect(isLoopback(address)).toBe(true);
    for (const address of ["128.0.0.1", "127.0.0.1.evil.example", "", "::2"]) expect(isLoopback(address)).toBe(false);
    expect(["localhost", "[::1]", "127.0.0.1"].map(isLoopbackHost)).toEqual([true, true, true]);
    expect(["localhost.evil.example", "evil.example"].map(isLoopbackHost)).toEqual([false, false]);
  });

  it("come from a proxy's header only when the proxy runs on this machine", () => {
    expect(senderAddress("127.0.0.1", "10.0.0.9, 192.168.1.20")).toBe("192.168.1.20");
    expect(senderAddress("192.168.1.5", "10.0.0.9")).toBe("192.168.1.5");
    expect(senderAddress("127.0.0.1", "not an address")).toBe("127.0.0.1");
    expect(senderAddress("127.0.0.1", null)).toBe("127.0.0.1");
  });

  it("get brackets in a URL when they are IPv6", () => {
    expect([urlHost("::1"), urlHost("10.0.0.1"), urlHost("attic")]).toEqual(["[::1]", "10.0.0.1", "attic"]);
  });

  it("towards this machine are this machine's", async () => {
    expect(await addressTowards("127.0.0.1")).toBe("127.0.0.1");
  });
});
